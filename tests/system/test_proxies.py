"""N12: the real nginx and the real Caddy with the files of deploy/, in front of the real receiver."""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import shutil
import ssl
import subprocess
from collections.abc import AsyncIterator, Callable, Coroutine
from pathlib import Path
from typing import Any

import pytest

from syncd.pipeline.canary import Canary
from syncd.web import public
from tests.contract.fake_provider import SIGNATURE, FakeProvider, sign
from tests.unit.callers import Reply, read_reply, served, target
from tests.unit.harness import ONE_BY_ONE, Harness

from .rig import free_port

DEPLOY = Path(__file__).parents[2] / "deploy"
PATIENCE = "2s"  # in place of ten
SECRET = "sesame-of-a-query"


def nginx(folder: Path, port: int, upstream: int) -> list[str]:
    text = (DEPLOY / "nginx.conf").read_text()
    for old, new in {
        "listen 443 ssl": f"listen 127.0.0.1:{port} ssl",
        "    listen [::]:443 ssl;\n": "",
        "/etc/letsencrypt/live/enrich.example.com/fullchain.pem": str(folder / "cert.pem"),
        "/etc/letsencrypt/live/enrich.example.com/privkey.pem": str(folder / "key.pem"),
        "/var/log/nginx": str(folder),
        "127.0.0.1:8080": f"127.0.0.1:{upstream}",
        "timeout 10s": f"timeout {PATIENCE}",
        "syncd_connections 300": "syncd_connections 8",
    }.items():
        assert old in text, old
        text = text.replace(old, new)
    kinds = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    places = "".join(f"{kind}_temp_path {folder}/{kind};\n" for kind in kinds)
    around = f"daemon off;\npid {folder}/nginx.pid;\nevents {{}}\nhttp {{\n{places}"
    (folder / "nginx.conf").write_text(f"{around}{text}}}\n")
    curve = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", "/CN=enrich.example.com"]
    files: list[str | Path] = ["-keyout", folder / "key.pem", "-out", folder / "cert.pem"]
    subprocess.run(["openssl", "req", "-x509", "-days", "9", *curve, *files], check=True, capture_output=True)
    return ["nginx", "-e", str(folder / "start.log"), "-c", str(folder / "nginx.conf")]


def caddy(folder: Path, port: int, upstream: int) -> list[str]:
    text = (DEPLOY / "Caddyfile").read_text()
    options = ("admin off", "local_certs", "skip_install_trust", "auto_https disable_redirects", f"https_port {port}")
    for old, new in {
        "{\n\tservers {": "{\n\t" + "\n\t".join(options) + "\n\tservers {",
        "127.0.0.1:8080": f"127.0.0.1:{upstream}",
        " 10s": f" {PATIENCE}",
    }.items():
        assert old in text, old
        text = text.replace(old, new)
    (folder / "Caddyfile").write_text(text)
    return ["caddy", "run", "--config", str(folder / "Caddyfile"), "--adapter", "caddyfile"]


SERVERS: dict[str, Callable[[Path, int, int], list[str]]] = {"nginx": nginx, "caddy": caddy}


class Proxy:
    """A running server: what it says to a client of ours, and what it has written down."""

    def __init__(self, folder: Path, port: int) -> None:
        self.folder, self.port = folder, port
        self._context = ssl.create_default_context()
        self._context.check_hostname, self._context.verify_mode = False, ssl.CERT_NONE

    @contextlib.asynccontextmanager
    async def connected(self) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
        """A connection with TLS, closed at the end whatever was left unsaid."""
        reader, writer = await asyncio.open_connection(
            "127.0.0.1", self.port, ssl=self._context, server_hostname="enrich.example.com"
        )
        try:
            yield reader, writer
        finally:
            writer.transport.abort()

    async def say(self, head: str, body: bytes = b"") -> Reply:
        """One request, sent as it is."""
        async with self.connected() as (reader, writer):
            with contextlib.suppress(ConnectionError):  # it may have answered before all is sent
                writer.write(f"{head} HTTP/1.1\r\nhost: enrich.example.com\r\n".encode())
                writer.write(f"content-length: {len(body)}\r\n{SIGNATURE}: {sign(body)}\r\n\r\n".encode() + body)
                await writer.drain()
            return await asyncio.wait_for(read_reply(reader), 30)

    def written(self) -> str:
        """Everything in its folder that is text."""
        return "".join(path.read_text("utf-8", "replace") for path in self.folder.rglob("*.log"))


@contextlib.asynccontextmanager
async def running(server: str, folder: Path, upstream: int) -> AsyncIterator[Proxy]:
    folder.mkdir()
    proxy = Proxy(folder, free_port())
    command = SERVERS[server](folder, proxy.port, upstream)
    given = {**os.environ, "HOME": str(folder), "XDG_DATA_HOME": str(folder), "XDG_CONFIG_HOME": str(folder)}
    with (folder / "output.log").open("wb") as log:
        process = subprocess.Popen(command, env=given, stdout=log, stderr=log)
    try:
        for _ in range(300):
            with contextlib.suppress(OSError, asyncio.IncompleteReadError):
                if (await proxy.say("GET /nothing")).status == 404:
                    break
            assert process.poll() is None, proxy.written()[-2000:]
            await asyncio.sleep(0.1)
        yield proxy
    finally:
        process.terminate()
        await asyncio.to_thread(process.wait, 20)


@pytest.fixture(params=SERVERS)
def server(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    if shutil.which(name) is None:
        pytest.skip(f"{name} is not installed (apt install {name})")
    return name


@pytest.fixture
def harness(tmp_path: Path) -> Any:
    with Harness(tmp_path, providers=[FakeProvider("ann", capabilities=ONE_BY_ONE)]) as built:
        built.person("Ada")
        built.ask()
        yield built


def behind(harness: Harness, server: str, folder: Path, work: Callable[[Proxy], Coroutine[Any, Any, Any]]) -> Any:
    """Do something at a server in front of the receiver of a harness."""

    async def run() -> Any:
        app = public.application(harness.parts, Canary(), body_deadline=2)
        async with served(app, head_deadline=2) as line, running(server, folder, line.port) as proxy:
            return await work(proxy)

    return harness.run(run())


def test_callbacks_come_through_and_nothing_else(harness: Harness, server: str, tmp_path: Path) -> None:
    where = target(harness.fake.submitted[0])
    body = harness.fake.body(harness.fake.submitted[0])

    async def work(proxy: Proxy) -> list[int]:
        tried = [("POST", where, body), ("GET", "/healthz", b""), ("POST", where.replace("m=", "m=0"), body)]
        tried += [("GET", path, b"") for path in ("/", "/metrics", "/api/status", "/callbacks/", "/callbacks/ann/x")]
        tried += [
            ("POST", where.replace("?", "%3F"), body),
            ("POST", "/callbacks/ann/" + where.partition("?")[1], body),
        ]
        return [(await proxy.say(f"{method} {path}", content)).status for method, path, content in tried]

    assert behind(harness, server, tmp_path / "proxy", work) == [200, 200, 404] + [404] * 7
    assert harness.sql("SELECT state FROM delivery") == [("received",)]


def test_n12_no_query_is_written_down_whoever_is_down(harness: Harness, server: str, tmp_path: Path) -> None:
    async def ask(proxy: Proxy) -> None:
        for path in (f"/callbacks/ann?a={SECRET}", f"/callbacks/ann%3Fa={SECRET}", f"/?{SECRET}", f"/x%3f{SECRET}"):
            await proxy.say(f"POST {path}", b"{}")

    async def run() -> None:
        async with running(server, tmp_path / "proxy", free_port()) as proxy:
            await ask(proxy)  # nobody listens behind it
            answered = (await proxy.say(f"POST /callbacks/ann?{SECRET}", b"{}")).status
            assert answered in (502, 504)
            await asyncio.sleep(0.3)
            assert SECRET not in proxy.written()

    behind(harness, server, tmp_path / "first", ask)
    harness.run(run())
    assert SECRET not in "".join(path.read_text("utf-8", "replace") for path in (tmp_path / "first").rglob("*.log"))


async def drips(writer: asyncio.StreamWriter, reader: asyncio.StreamReader, head: bytes) -> float:
    """A head, then a byte each half second until the other side gives up; after how many seconds it did."""
    started, heard = asyncio.get_running_loop().time(), asyncio.create_task(reader.read())
    with contextlib.suppress(ConnectionError):
        writer.write(head)
        while not heard.done() and asyncio.get_running_loop().time() - started < 30:
            writer.write(b"x")
            await writer.drain()
            await asyncio.wait([heard], timeout=0.5)
    heard.cancel()
    return asyncio.get_running_loop().time() - started


def test_n12_a_body_that_drips_is_given_up(harness: Harness, server: str, tmp_path: Path) -> None:
    where = target(harness.fake.submitted[0])
    head = f"POST {where} HTTP/1.1\r\nhost: enrich.example.com\r\ncontent-length: 900\r\n\r\n".encode()

    async def work(proxy: Proxy) -> float:
        async with proxy.connected() as (reader, writer):
            return await drips(writer, reader, head)

    assert behind(harness, server, tmp_path / "proxy", work) < 15
    assert harness.sql("SELECT * FROM delivery") == []


def test_n12_a_head_that_drips_is_given_up(harness: Harness, server: str, tmp_path: Path) -> None:
    async def work(proxy: Proxy) -> float:
        async with proxy.connected() as (reader, writer):
            return await drips(writer, reader, b"POST /callbacks/ann HTTP/1.1\r\nhost: enrich.example.com\r\nx: ")

    assert behind(harness, server, tmp_path / "proxy", work) < 15


def test_what_is_too_large_is_refused(harness: Harness, server: str, tmp_path: Path) -> None:
    where = target(harness.fake.submitted[0])

    async def body(proxy: Proxy) -> int:
        async with proxy.connected() as (reader, writer):
            head = f"POST {where} HTTP/1.1\r\nhost: enrich.example.com\r\ncontent-length: {17 << 20}\r\n\r\n"
            writer.write(head.encode())
            return (await asyncio.wait_for(read_reply(reader), 20)).status

    async def head(proxy: Proxy) -> int:
        first = ""
        async with proxy.connected() as (reader, writer):
            writer.write(b"GET /healthz HTTP/1.1\r\nhost: enrich.example.com\r\n" + b"x-a: yyyyyyyyyyyyyyyy\r\n" * 8000)
            with contextlib.suppress(ConnectionError):
                await writer.drain()
                writer.write(b"\r\n")
            with contextlib.suppress(ConnectionError):
                first = (await asyncio.wait_for(reader.read(64), 20)).decode()
        return int(first.split()[1]) if first else 0

    async def work(proxy: Proxy) -> tuple[int, int]:
        return await body(proxy), await head(proxy)

    of_body, of_head = behind(harness, server, tmp_path / "proxy", work)
    assert of_body == 413
    assert of_head in (0, 400, 431)


def test_nginx_limits_what_comes_from_one_address(harness: Harness, tmp_path: Path) -> None:
    if shutil.which("nginx") is None:
        pytest.skip("nginx is not installed (apt install nginx)")
    where = target(harness.fake.submitted[0])
    head = f"POST {where} HTTP/1.1\r\nhost: enrich.example.com\r\ncontent-length: 9\r\n\r\n".encode()

    async def work(proxy: Proxy) -> list[int]:
        async with contextlib.AsyncExitStack() as held:
            for _ in range(8):
                _, writer = await held.enter_async_context(proxy.connected())
                writer.write(head)
                await writer.drain()
            await asyncio.sleep(0.5)
            refused = (await proxy.say("GET /healthz")).status
        await asyncio.sleep(0.5)
        return [refused, (await proxy.say("GET /healthz")).status]

    assert behind(harness, "nginx", tmp_path / "proxy", work) == [429, 200]


def test_both_take_what_the_receiver_takes() -> None:
    """The caps of the files and of the connectors are the same."""
    assert re.search(r"client_max_body_size 16m", (DEPLOY / "nginx.conf").read_text())
    assert re.search(r"max_size 16MB", (DEPLOY / "Caddyfile").read_text())
