"""How far a request went, and which connections are used again: real sockets, a server that is told what to do."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from syncd.contract.body import BODY_LIMIT, Unreadable
from syncd.contract.network import Network
from syncd.contract.wire import Answer, Broken, Line, NotSent, Request

WELL = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}"

Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


def request(**headers: str) -> Request:
    return Request("POST", "/x?a=b", headers, b"body")


def against(serve: Serve, act: Callable[[Line], Awaitable[object]]) -> int:
    """Let `act` call a server; returns how many connections were made."""

    async def main() -> int:
        made = 0

        async def accepted(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            nonlocal made
            made += 1
            try:
                await serve(reader, writer)
            except (asyncio.IncompleteReadError, ConnectionError):
                pass
            finally:
                writer.close()

        server = await asyncio.start_server(accepted, "127.0.0.1", 0)
        line = Line(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", Network())
        try:
            await asyncio.wait_for(act(line), 20)
        finally:
            await line.aclose()
            server.close()
        return made

    return asyncio.run(main())


def answering(*answers: bytes) -> Serve:
    """These answers on each connection, one for a request; then it is closed."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for answer in answers:
            await reader.readuntil(b"body")
            writer.write(answer)
            await writer.drain()

    return serve


async def send(line: Line) -> Answer:
    return await line.send(request(), BODY_LIMIT)


async def three(line: Line) -> None:
    for _ in range(3):
        assert (await send(line)).body == b"{}"
        await asyncio.sleep(0.05)


def test_a_connection_is_used_again() -> None:
    assert against(answering(WELL, WELL, WELL), three) == 1


@pytest.mark.parametrize(
    "answer",
    [
        WELL,  # the server closes after it, without a word
        WELL.replace(b"\r\n\r\n", b"\r\nconnection: close\r\n\r\n"),
        WELL + b"HTTP/1.1 200 OK\r\n",  # something that nobody asked for follows
        b"HTTP/1.1 200 OK\r\n\r\n{}",  # its end is the connection's
    ],
)
def test_case_17_a_connection_that_is_at_its_end_is_not_used_again(answer: bytes) -> None:
    """A paid call on it would be in doubt for nothing."""
    assert against(answering(answer), three) == 3


def test_an_interim_answer_is_not_the_answer() -> None:
    async def act(line: Line) -> None:
        answer = await send(line)
        assert (answer.status, answer.body, answer.headers) == (200, b"{}", {"content-length": "2"})

    against(answering(b"HTTP/1.1 103 Early Hints\r\nlink: x\r\n\r\n" + WELL), act)


def test_a_header_that_comes_twice_is_one_with_both_values() -> None:
    async def act(line: Line) -> None:
        assert (await send(line)).headers["x-a"] == "1, 2"

    against(answering(WELL.replace(b"\r\n\r\n", b"\r\nX-A: 1\r\nx-a: 2\r\n\r\n")), act)


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"HTTP/1.1 202 Acc",
        b"HTTP/1.1 202 Accepted\r\ncontent-length: 100\r\n\r\n{",
        b"HTTP/1.1 202 Accepted\r\ntransfer-encoding: chunked\r\n\r\n5\r\n{",
        b"HTTP/1.1 101 Switching Protocols\r\nupgrade: x\r\nconnection: upgrade\r\n\r\n",
        b"SSH-2.0-OpenSSH\r\n",
    ],
)
def test_case_17_what_left_without_a_whole_answer_is_broken(answer: bytes) -> None:
    async def act(line: Line) -> None:
        one = request()
        with pytest.raises(Broken):
            await line.send(one, BODY_LIMIT)
        assert one.begun.is_set()

    against(answering(answer), act)


def test_a_head_without_an_end_is_cut() -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"body")
        writer.write(b"HTTP/1.1 200 OK\r\n")
        while True:
            writer.write(b"x: " + b"y" * 60_000 + b"\r\n")
            await writer.drain()

    async def act(line: Line) -> None:
        with pytest.raises((Unreadable, Broken)):
            await send(line)

    against(serve, act)


@pytest.mark.parametrize("headers", [{"x": "a\r\nb: c"}, {"x": "\u0141"}])
def test_case_18_what_is_no_header_is_not_sent(headers: dict[str, str]) -> None:
    async def act(line: Line) -> None:
        one = request(**headers)
        with pytest.raises(NotSent):
            await line.send(one, BODY_LIMIT)
        assert not one.begun.is_set()

    assert against(answering(WELL), act) == 0


def test_a_call_that_is_given_up_takes_its_connection_along() -> None:
    """Its answer would be taken for the next call's."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"body")
        await asyncio.sleep(0.2)
        writer.write(WELL)
        await reader.readuntil(b"body")

    async def act(line: Line) -> None:
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(send(line), 0.05)
        await asyncio.sleep(0.3)
        assert (await send(line)).body == b"{}"

    assert against(serve, act) == 2
