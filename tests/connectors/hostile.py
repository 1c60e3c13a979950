"""A server on loopback that takes any request and then never comes to an end, or sends far too much."""

from __future__ import annotations

import gzip
import socket
import ssl
import threading
import time
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

PAUSE = 0.02  # seconds between two bytes of what drips
LOGIN = b'{"access_token": "00D000000000001!x", "instance_url": "https://acme.my.salesforce.com", "id": "x"}'

Answer = Callable[[socket.socket], None]


def drip(sock: socket.socket, text: bytes) -> None:
    """Byte by byte, over and over."""
    while True:
        for byte in text:
            sock.sendall(bytes([byte]))
            time.sleep(PAUSE)


def dripping_head(sock: socket.socket) -> None:
    sock.sendall(b"HTTP/1.1 200 OK\r\n")
    drip(sock, b"x: y\r\n")


def dripping_body(sock: socket.socket) -> None:
    sock.sendall(b"HTTP/1.1 200 OK\r\ncontent-length: 1000000\r\n\r\n")
    drip(sock, b" ")


def dripping_chunks(sock: socket.socket) -> None:
    sock.sendall(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n")
    drip(sock, b"1\r\n \r\n")


def interim_for_ever(sock: socket.socket) -> None:
    while True:
        sock.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")
        time.sleep(PAUSE)


def endless_body(sock: socket.socket) -> None:
    sock.sendall(b"HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n")
    while True:
        sock.sendall(b" " * 65_536)


def endless_chunks(sock: socket.socket) -> None:
    sock.sendall(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n")
    while True:
        sock.sendall(b"10000\r\n" + b" " * 65_536 + b"\r\n")


def endless_chunk_line(sock: socket.socket) -> None:
    sock.sendall(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n1;")
    while True:
        sock.sendall(b"x" * 65_536)


def bomb(encoding: str, packed: bytes, status: int = 200) -> Answer:
    def answer(sock: socket.socket) -> None:
        head = f"HTTP/1.1 {status} X\r\ncontent-encoding: {encoding}\r\ncontent-length: {len(packed)}\r\n\r\n"
        sock.sendall(head.encode() + packed)

    return answer


def zeros(megabytes: int) -> bytes:
    """So many of them, as a thousandth of it."""
    packer = zlib.compressobj(9, wbits=31)
    return b"".join(packer.compress(b"0" * (1 << 20)) for _ in range(megabytes)) + packer.flush()


def trailing_for_ever(sock: socket.socket) -> None:
    """What follows the end of the compressed text."""
    sock.sendall(b"HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-encoding: gzip\r\n\r\n" + gzip.compress(b"{}"))
    while True:
        sock.sendall(b" " * 65_536)


@contextmanager
def hostile(answer: Answer, *, login: bool = True, tls: ssl.SSLContext | None = None) -> Iterator[str]:
    """The server's URL. `login`: that one is answered as it should be, so that what comes after it can be tried."""
    over = threading.Event()

    def serve(plain: socket.socket) -> None:
        with suppress(OSError), plain if tls is None else tls.wrap_socket(plain, server_side=True) as connection:
            while not over.is_set():
                asked = connection.recv(65_536)
                if not asked:
                    return
                if login and b"/oauth2/token" in asked:
                    connection.sendall(b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n%b" % (len(LOGIN), LOGIN))
                else:
                    answer(connection)

    def accept() -> None:
        with suppress(OSError):
            while True:
                threading.Thread(target=serve, args=[server.accept()[0]], daemon=True).start()

    with socket.create_server(("127.0.0.1", 0)) as server:
        listening = threading.Thread(target=accept, daemon=True)
        listening.start()
        try:
            yield f"http{'' if tls is None else 's'}://127.0.0.1:{server.getsockname()[1]}"
        finally:
            over.set()
            server.shutdown(socket.SHUT_RDWR)
            listening.join()
