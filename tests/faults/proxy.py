"""nginx in front of the daemon, as deploy/nginx.conf has it: that very file, with the test's ports and paths.

It needs nginx, and openssl for a certificate.
"""

from __future__ import annotations

import contextlib
import getpass
import shutil
import socket
import ssl
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.system.rig import free_port, until

from .client import Client
from .process import PATIENCE, ROOT

SHIPPED = ROOT / "deploy" / "nginx.conf"
_NAME = "enrich.example.com"
_AROUND = """\
daemon off;
user {user};
pid {folder}/nginx.pid;
error_log {folder}/nginx.log;
events {{ worker_connections 1024; }}
http {{
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    include {folder}/site.conf;
}}
"""


def possible() -> bool:
    """Is there what it takes on this machine?"""
    return all(map(shutil.which, ("nginx", "openssl")))


@dataclass(frozen=True, slots=True)
class Proxy:
    """A folder with a configuration, which is the shipped one but for ports and paths."""

    folder: Path
    port: int

    @property
    def client(self) -> Client:
        """The way in, for clients that believe its certificate and no other."""
        return Client(self.port, ssl.create_default_context(cafile=str(self.folder / "cert.pem")), _NAME)

    def judged(self) -> str:
        """What `nginx -t` says; nothing when all is well. Warnings count."""
        done = subprocess.run(self.command("-t", "-q"), capture_output=True, text=True, check=False)
        return done.stderr.strip() + ("" if done.returncode == 0 else f" (exit {done.returncode})")

    def command(self, *more: str) -> list[str]:
        """nginx with this configuration."""
        return ["nginx", "-c", str(self.folder / "nginx.conf"), "-e", str(self.folder / "nginx.log"), *more]

    def logs(self) -> str:
        """All that it wrote down."""
        return "".join(path.read_text("utf-8") for path in self.folder.glob("*.log"))


def proxy(folder: Path, daemon: int) -> Proxy:
    """A configuration for a daemon on this port; every adaptation must fit the shipped file."""
    folder.mkdir()
    made = Proxy(folder, free_port())
    site = SHIPPED.read_text("utf-8")
    for shipped, ours in {
        "listen 443 ssl": f"listen 127.0.0.1:{made.port} ssl",
        "listen [::]:443 ssl;": "",
        "http://127.0.0.1:8080": f"http://127.0.0.1:{daemon}",
        f"/etc/letsencrypt/live/{_NAME}/fullchain.pem": f"{folder}/cert.pem",
        f"/etc/letsencrypt/live/{_NAME}/privkey.pem": f"{folder}/key.pem",
        "/var/log/nginx/": f"{folder}/",
    }.items():
        assert shipped in site, f"{SHIPPED.name} has no {shipped!r}"
        site = site.replace(shipped, ours)
    (folder / "site.conf").write_text(site, "utf-8")
    (folder / "nginx.conf").write_text(_AROUND.format(user=getpass.getuser(), folder=folder), "utf-8")
    key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"]
    names = ["-subj", f"/CN={_NAME}", "-addext", f"subjectAltName=DNS:{_NAME}"]
    files = ["-keyout", str(folder / "key.pem"), "-out", str(folder / "cert.pem")]
    subprocess.run(["openssl", "req", "-x509", "-days", "2", *key, *names, *files], check=True, capture_output=True)
    return made


@contextmanager
def running(made: Proxy) -> Iterator[Client]:
    """nginx, from when it answers."""
    with subprocess.Popen(made.command(), stderr=subprocess.DEVNULL) as process:
        try:
            until("nginx to answer", lambda: _answers(made, process))
            yield made.client
        finally:
            process.terminate()
            process.wait(PATIENCE)


def _answers(made: Proxy, process: subprocess.Popen[bytes]) -> bool:
    assert process.poll() is None, made.logs()
    with contextlib.suppress(ConnectionRefusedError), socket.create_connection(("127.0.0.1", made.port)):
        return True
    return False
