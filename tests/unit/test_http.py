"""The HTTP recipe over real sockets: above all, what may have been carried out and what was not."""

from __future__ import annotations

import asyncio
import gzip
import socket
import threading
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

import pytest

from syncd.contract.errors import Garbled, InDoubt, Retry
from syncd.contract.http import IN_FLIGHT, RETRY_AFTER_CAP, Http, Response
from syncd.contract.testing.server import Reply, Script, scripted

T = TypeVar("T")


def talk(url: str, act: Callable[[Http], Awaitable[T]], **headers: str) -> T:
    async def main() -> T:
        http = Http(url, headers)
        try:
            return await act(http)
        finally:
            await http.aclose()

    return asyncio.run(main())


def get(script: Script, **how: Any) -> Response:
    return talk(script.url, lambda http: http.call("GET", "/x", **how))


def test_a_call_and_its_answer() -> None:
    with scripted(Reply(202, {"ok": "é"}, {"X-Some-Header": "1"})) as script:
        answer = talk(
            script.url,
            lambda http: http.call("POST", "/a/b", json_body={"name": "Łukasz"}, params={"silentFail": "true"}),
            **{"x-api-key": "k"},
        )
    (call,) = script.calls
    assert (call.method, call.path, call.query) == ("POST", "/a/b", {"silentFail": "true"})
    assert call.body == '{"name":"Łukasz"}'.encode()
    assert call.headers["content-type"] == "application/json"
    assert call.headers["x-api-key"] == "k"
    assert (answer.status, answer.json(), answer.headers["x-some-header"]) == (202, {"ok": "é"}, "1")


def test_a_call_without_a_body_has_no_content_type() -> None:
    with scripted(Reply()) as script:
        get(script)
    assert "content-type" not in script.calls[0].headers
    assert script.calls[0].body == b""


def test_a_query_in_the_base_url_is_kept() -> None:
    """As of the address at which the daemon calls itself."""
    with scripted(Reply(), Reply()) as script:
        talk(script.url + "/proxy?a=b%20c", lambda http: http.call("POST", ""))
        talk(script.url + "/proxy?a=b%20c", lambda http: http.call("POST", "/x", params={"d": "e f"}))
    assert [(call.path, call.query) for call in script.calls] == [
        ("/proxy", {"a": "b c"}),
        ("/proxy/x", {"a": "b c", "d": "e f"}),
    ]


def test_a_path_in_the_base_url_is_kept() -> None:
    with scripted(Reply()) as script:
        talk(script.url + "/proxy", lambda http: http.call("GET", "/x"))
    assert script.calls[0].path == "/proxy/x"


@pytest.mark.parametrize("status", [200, 302, 400, 401, 404, 429])
def test_every_status_below_500_is_an_answer(status: int) -> None:
    with scripted(Reply(status, b"", {"location": "/elsewhere"})) as script:
        assert get(script, paid=True).status == status
        assert len(script.calls) == 1  # no redirect is followed, nothing is repeated


@pytest.mark.parametrize("reply", [Reply(500), Reply(503, b"<html>"), Reply(599), Reply(cut=True)])
def test_case_17_failure_of_a_paid_call_is_in_doubt_and_of_another_safe(reply: Reply) -> None:
    with scripted(reply, reply) as script:
        with pytest.raises(InDoubt):
            get(script, paid=True)
        with pytest.raises(Retry):
            get(script)
        assert len(script.calls) == 2


def test_case_18_nobody_there_means_not_sent() -> None:
    with scripted() as script:
        pass
    for paid in (True, False):
        with pytest.raises(Retry):
            get(script, paid=paid)


@pytest.mark.parametrize("url", ["http://" + "a." * 130 + "invalid", "https://127.0.0.1:1", "ftp://127.0.0.1"])
def test_case_18_unknown_host_closed_port_or_scheme_means_not_sent(url: str) -> None:
    with pytest.raises(Retry):
        talk(url, lambda http: http.call("POST", "/x", json_body={}, paid=True))


def test_case_18_failed_tls_means_not_sent() -> None:
    with scripted() as script, pytest.raises(Retry):
        talk(script.url.replace("http:", "https:"), lambda http: http.call("POST", "/x", json_body={}, paid=True))


@contextmanager
def raw_server(answer: bytes) -> Iterator[str]:
    """Answers one connection with these bytes and closes it."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            connection, _ = server.accept()
            with connection:
                connection.recv(65536)
                connection.sendall(answer)

        thread = threading.Thread(target=serve)
        thread.start()
        yield f"http://127.0.0.1:{server.getsockname()[1]}"
        thread.join()


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"HTTP/1.1 202 Acc",
        b"HTTP/1.1 202 Accepted\r\ncontent-length: 100\r\n\r\n{",
        b"HTTP/1.1 202 Accepted\r\ncontent-encoding: gzip\r\ncontent-length: 3\r\n\r\nxyz",
        b"SSH-2.0-OpenSSH\r\n",
    ],
)
def test_case_17_broken_answers_of_a_paid_call_are_in_doubt(answer: bytes) -> None:
    with raw_server(answer) as url, pytest.raises(InDoubt):
        talk(url, lambda http: http.call("POST", "/x", json_body={}, paid=True))


def test_a_compressed_answer_is_read() -> None:
    with scripted(Reply(200, gzip.compress(b'{"a": 1}'), {"content-encoding": "gzip"})) as script:
        assert get(script).json() == {"a": 1}


def test_not_more_calls_at_once_than_allowed() -> None:
    async def main() -> int:
        waiting: list[asyncio.StreamWriter] = []
        most = 0
        go_on = asyncio.Event()

        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            nonlocal most
            await reader.readuntil(b"\r\n\r\n")
            waiting.append(writer)
            most = max(most, len(waiting))
            if len(waiting) == IN_FLIGHT:
                go_on.set()
            await go_on.wait()
            waiting.remove(writer)
            writer.write(b"HTTP/1.1 204 No Content\r\nconnection: close\r\n\r\n")
            writer.close()

        server = await asyncio.start_server(serve, "127.0.0.1", 0)
        http = Http(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", {})
        try:
            answers = await asyncio.gather(*(http.call("GET", f"/{n}") for n in range(3 * IN_FLIGHT)))
            assert {answer.status for answer in answers} == {204}
        finally:
            await http.aclose()
            server.close()
        return most

    assert asyncio.run(main()) == IN_FLIGHT


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        (None, None),
        ("", None),
        ("soon", None),
        ("0", 0.0),
        ("1.5", 1.5),
        ("-3", 0.0),
        ("86400", RETRY_AFTER_CAP),
        ("inf", RETRY_AFTER_CAP),
        ("Fri, 15 Jan 2027 08:01:00 GMT", 60.0),
        ("Fri, 15 Jan 2027 07:00:00 GMT", 0.0),
        ("Fri, 15 Jan 2100 07:00:00 GMT", RETRY_AFTER_CAP),
        ("Fri, 99 Foo 2027 07:00:00 GMT", None),
    ],
)
def test_case_34_retry_after_is_seconds_or_a_date_and_capped(header: str | None, seconds: float | None) -> None:
    headers = {} if header is None else {"retry-after": header}
    assert Response(429, headers, b"").retry_after(1_800_000_000.0) == seconds


@pytest.mark.parametrize("body", [b"", b"<html>", b"\xff", b"{", b"[" * 200_000])
def test_case_20_a_body_that_is_no_json_is_garbled(body: bytes) -> None:
    with pytest.raises(Garbled, match="HTTP 200"):
        Response(200, {}, body).json()
