"""A company's network on loopback: an authority of its own, and a proxy that tunnels or passes plain http on."""

from __future__ import annotations

import base64
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from ipaddress import IPv4Address
from pathlib import Path
from urllib.parse import urlsplit

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from .hostile import drip

DAY = timedelta(days=1)


@contextmanager
def proxy(
    *, login: tuple[str, str] | None = None, answer: Callable[[socket.socket], None] | None = None
) -> Iterator[tuple[str, list[str]]]:
    """Its URL, and the first lines that it was sent. `answer`: what it does instead of its work."""
    seen: list[str] = []
    wanted = None if login is None else "Basic " + base64.b64encode(":".join(login).encode()).decode()

    def serve(client: socket.socket) -> None:
        with suppress(OSError), client:
            head = b""
            while b"\r\n\r\n" not in head:
                came = client.recv(65_536)
                if not came:
                    return
                head += came
            first, _, rest = head.partition(b"\r\n")
            seen.append(first.decode())
            if answer is not None:
                answer(client)
            elif wanted is not None and f"proxy-authorization: {wanted}".lower().encode() not in rest.lower():
                client.sendall(b"HTTP/1.1 407 Proxy Authentication Required\r\ncontent-length: 0\r\n\r\n")
            else:
                _lead(client, first, rest)

    def accept() -> None:
        with suppress(OSError):
            while True:
                threading.Thread(target=serve, args=[server.accept()[0]], daemon=True).start()

    with socket.create_server(("127.0.0.1", 0)) as server:
        listening = threading.Thread(target=accept, daemon=True)
        listening.start()
        try:
            yield f"http://127.0.0.1:{server.getsockname()[1]}", seen
        finally:
            server.shutdown(socket.SHUT_RDWR)
            listening.join()


def _lead(client: socket.socket, first: bytes, rest: bytes) -> None:
    method, target, _ = first.decode().split(" ", 2)
    if method == "CONNECT":
        host, _, port = target.rpartition(":")
        with socket.create_connection((host, int(port))) as far:
            client.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
            _pump(client, far)
    else:
        parts = urlsplit(target)
        with socket.create_connection((str(parts.hostname), parts.port or 80)) as far:
            path = target.split("/", 3)[3]
            far.sendall(f"{method} /{path} HTTP/1.1\r\n".encode() + rest)
            _pump(client, far)


def _pump(one: socket.socket, other: socket.socket) -> None:
    def pour(source: socket.socket, sink: socket.socket) -> None:
        with suppress(OSError):
            while came := source.recv(65_536):
                sink.sendall(came)
        with suppress(OSError):
            sink.shutdown(socket.SHUT_WR)

    back = threading.Thread(target=pour, args=[other, one], daemon=True)
    back.start()
    pour(one, other)
    back.join()


def refusing(client: socket.socket) -> None:
    client.sendall(b"HTTP/1.1 403 Forbidden by policy\r\ncontent-length: 0\r\n\r\n")


def cutting(client: socket.socket) -> None:
    client.close()


def dripping(client: socket.socket) -> None:
    client.sendall(b"HTTP/1.1 200 OK\r\n")
    drip(client, b"x: y\r\n")


# --- an authority of one's own --------------------------------------------------------------------


class Authority:
    """Issues certificates; `file` is its own, as PEM."""

    def __init__(self, folder: Path, name: str = "Acme internal CA") -> None:
        self._folder = folder
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
        constraints = x509.BasicConstraints(ca=True, path_length=None)
        made = self._begun(self._name, self._key).add_extension(constraints, critical=True)
        self.file = folder / "ca.pem"
        self.file.write_bytes(made.sign(self._key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM))

    def server(self, address: str = "127.0.0.1", *, expired: bool = False) -> ssl.SSLContext:
        """The TLS context of a server at this address."""
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "server")])
        names = x509.SubjectAlternativeName([x509.IPAddress(IPv4Address(address))])
        made = self._begun(subject, key, expired=expired).add_extension(names, critical=False)
        pem = serialization.Encoding.PEM
        secret = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        file = self._folder / "server.pem"
        file.write_bytes(secret + made.sign(self._key, hashes.SHA256()).public_bytes(pem))
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(file)
        return context

    def _begun(
        self, subject: x509.Name, key: ec.EllipticCurvePrivateKey, *, expired: bool = False
    ) -> x509.CertificateBuilder:
        begin = datetime(2020, 1, 1, tzinfo=UTC)
        return (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self._name)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(begin)
            .not_valid_after(begin + (DAY if expired else 36_500 * DAY))
        )
