"""The end of a listener: what was accepted is answered, and nobody keeps it from ending."""

from __future__ import annotations

import asyncio
import select
import socket

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from syncd.config import Address
from syncd.web.listener import Listener

SOON = 3.0  # seconds: less than uvicorn keeps an idle connection
REQUEST = b"GET / HTTP/1.1\r\nhost: enrich.example.com\r\n\r\n"


async def answer(request: Request) -> PlainTextResponse:
    return PlainTextResponse("yes")


def listening() -> Listener:
    return Listener(Starlette(routes=[Route("/", answer)]), Address("127.0.0.1", 0))


@pytest.mark.parametrize("turns", range(6))
def test_a_request_is_answered_or_left_for_the_next_process(turns: int) -> None:
    """`turns` of the event loop between the connection and the end; the socket is held, as systemd does."""
    said, left = asyncio.run(ended_after(turns, REQUEST))
    assert left == (turns == 0)
    assert left or (said.startswith(b"HTTP/1.1 200") and said.endswith(b"yes"))


@pytest.mark.parametrize("turns", range(6))
def test_who_comes_while_it_ends_is_left_for_the_next_process(turns: int) -> None:
    assert asyncio.run(ended_with(turns, REQUEST)) == (b"", True)


@pytest.mark.parametrize("says", [b"", REQUEST[:20]], ids=["nothing", "half a request"])
@pytest.mark.parametrize("turns", range(6))
def test_who_says_nothing_does_not_keep_it_from_ending(turns: int, says: bytes) -> None:
    said, _ = asyncio.run(ended_after(turns, says))
    assert said == b""


def test_a_connection_that_was_answered_and_kept_open_does_not_keep_it() -> None:
    async def run() -> bytes:
        listener = listening()
        await listener.start()
        reader, writer = await asyncio.open_connection("127.0.0.1", listener.port)
        writer.write(REQUEST)
        said = await reader.readuntil(b"yes")
        await asyncio.wait_for(listener.stop(), SOON)
        said += await reader.read()
        writer.close()
        return said

    assert asyncio.run(run()).count(b"HTTP/1.1 200") == 1


async def ended_after(turns: int, says: bytes) -> tuple[bytes, bool]:
    """What a client heard that connected so shortly before the end, and whether it was left in the socket."""
    listener = listening()
    await listener.start()
    with listener._socket.dup() as held, socket.socket() as client:
        await connect(client, held, listener.port, says, turns)
        await asyncio.wait_for(listener.stop(), SOON)
        return await heard(client, held)


async def ended_with(turns: int, says: bytes) -> tuple[bytes, bool]:
    """As `ended_after`, of one that connects while uvicorn tells the connections that it knows."""
    listener = listening()
    await listener.start()
    with listener._socket.dup() as held, socket.socket() as client:
        goodbye = listener._server.shutdown

        async def interrupted(sockets: list[socket.socket] | None = None) -> None:
            await connect(client, held, listener.port, says, turns)
            await goodbye(sockets)

        listener._server.shutdown = interrupted  # type: ignore[method-assign]
        await asyncio.wait_for(listener.stop(), SOON)
        return await heard(client, held)


async def connect(client: socket.socket, held: socket.socket, port: int, says: bytes, turns: int) -> None:
    client.connect(("127.0.0.1", port))  # the kernel accepts, whatever the event loop does
    client.sendall(says)
    assert select.select([held], [], [], SOON)[0], "a busy kernel may take a moment"
    for _ in range(turns):
        await asyncio.sleep(0)


async def heard(client: socket.socket, held: socket.socket) -> tuple[bytes, bool]:
    if waits(held):
        return b"", True
    client.settimeout(SOON)
    return await asyncio.to_thread(everything, client), False


def waits(held: socket.socket) -> bool:
    held.setblocking(False)
    try:
        held.accept()[0].close()
    except BlockingIOError:
        return False
    return True


def everything(client: socket.socket) -> bytes:
    said = b""
    while some := client.recv(4096):
        said += some
    return said
