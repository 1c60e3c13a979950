"""Which of Zeliq's hosts is called: two of them are emulated in this process."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Mapping
from dataclasses import dataclass, field

import httpx
import pytest
from pydantic import SecretStr

from connectors.zeliq import Connector, Options
from syncd.contract.errors import Halt, InDoubt, RateLimited, Retry, Trouble, Unlisted
from syncd.contract.model import Identity, Level, Receipt
from syncd.contract.ports import Tools
from syncd.contract.testing.samples import EMAIL, PROFILE
from syncd.contract.testing.samples import request as ask
from syncd.contract.testing.samples import submission as sub
from syncd.contract.testing.server import Reply, scripted
from syncd.contract.testing.surroundings import DictMemory, StillClock, use

APP, API = "app.zeliq.com", "api.zeliq.com"
SAYS_7 = httpx.Response(200, json={"credit_balance": 7})
ACCEPTS = httpx.Response(202, json={"jobId": "job-1"})
PAGE = httpx.Response(200, html="<!doctype html>")
BAD_KEY = httpx.Response(401, json={"message": "Invalid API key"})
UNKNOWN_HOST = httpx.ConnectError("name or service not known")
NOT_THE_API = {
    "web page": PAGE,
    "404": httpx.Response(404, json={"message": "Not Found"}),
    "redirect": httpx.Response(302, headers={"location": "https://www.zeliq.com/login"}),
    "no such host": UNKNOWN_HOST,
    "slow to connect": httpx.ConnectTimeout("too slow"),
    "another site's login": httpx.Response(401, text="log in"),
    "no JSON": httpx.Response(200, text="OK"),
    "other JSON": httpx.Response(200, json={"ok": True}),
    "bad gateway": httpx.Response(502),
}

Answer = httpx.Response | Exception


@dataclass
class Network:
    """Two hosts: what each answers to the free call and to a paid one, and which calls were made."""

    free: Mapping[str, Answer]
    paid: Mapping[str, Answer] = field(default_factory=lambda: {APP: ACCEPTS, API: ACCEPTS})
    calls: list[tuple[str, str]] = field(default_factory=list)

    async def answer(self, request: httpx.Request) -> httpx.Response:
        self.calls.append((request.method, request.url.host))
        await asyncio.sleep(0)
        told = (self.free if request.method == "GET" else self.paid)[request.url.host]
        if isinstance(told, Exception):
            raise told
        return httpx.Response(told.status_code, headers=told.headers, content=told.content)

    def connector(self, memory: DictMemory | None = None) -> Connector:
        transport = httpx.MockTransport(self.answer)
        tools = Tools(clock=StillClock(), rng=random.Random(1), memory=memory or DictMemory(), transport=transport)
        return Connector("zeliq", Options(api_key=SecretStr("sk-x")), None, tools)


WHAT = sub(ask(Identity(linkedin_url=PROFILE), EMAIL))


def submit(network: Network, memory: DictMemory | None = None) -> Receipt:
    receipt: Receipt = use(lambda: network.connector(memory), lambda c: c.submit(WHAT))
    return receipt


def test_the_first_paid_call_goes_to_the_default_host_once_it_is_known() -> None:
    network, memory = Network({APP: SAYS_7, API: SAYS_7}), DictMemory()
    assert submit(network, memory).provider_id == "job-1"
    assert network.calls == [("GET", APP), ("POST", APP)]
    assert memory.kept == {"host": "https://app.zeliq.com"}


@pytest.mark.parametrize("first", NOT_THE_API.values(), ids=NOT_THE_API.keys())
def test_the_other_host_is_called_where_the_first_is_not_the_api(first: Answer) -> None:
    network, memory = Network({APP: first, API: SAYS_7}), DictMemory()
    submit(network, memory)
    submit(network, memory)
    assert network.calls == [("GET", APP), ("GET", API), ("POST", API), ("POST", API)]
    assert memory.kept == {"host": "https://api.zeliq.com"}


def test_a_remembered_host_needs_no_free_call() -> None:
    network = Network({})
    submit(network, DictMemory({"host": "https://api.zeliq.com"}))
    assert network.calls == [("POST", API)]


@pytest.mark.parametrize("host", ["https://evil.example.com", 7, None])
def test_a_host_that_is_not_zeliqs_is_not_remembered(host: object) -> None:
    network = Network({APP: SAYS_7, API: SAYS_7})
    submit(network, DictMemory({"host": host}))
    assert network.calls == [("GET", APP), ("POST", APP)]


@pytest.mark.parametrize(
    ("paid", "error"),
    [(PAGE, InDoubt), (httpx.Response(404), Unlisted), (UNKNOWN_HOST, Retry), (httpx.Response(500), InDoubt)],
)
def test_a_paid_call_is_never_tried_at_two_hosts(paid: Answer, error: type[Exception]) -> None:
    network = Network({APP: SAYS_7, API: SAYS_7}, {APP: paid, API: ACCEPTS})
    with pytest.raises(error):
        submit(network)
    assert [host for method, host in network.calls if method == "POST"] == [APP]


def test_a_check_finds_the_other_host_when_the_remembered_one_is_gone() -> None:
    network, memory = Network({APP: SAYS_7, API: UNKNOWN_HOST}), DictMemory({"host": "https://api.zeliq.com"})

    async def check_and_ask(connector: Connector) -> None:
        assert [f.level for f in await connector.check()] == [Level.OK]
        await connector.submit(WHAT)

    use(lambda: network.connector(memory), check_and_ask)
    assert network.calls == [("GET", API), ("GET", APP), ("POST", APP)]
    assert memory.kept == {"host": "https://app.zeliq.com"}


@pytest.mark.parametrize(
    ("free", "error"),
    [
        ({APP: UNKNOWN_HOST, API: UNKNOWN_HOST}, Retry),
        ({APP: PAGE, API: PAGE}, Halt),
        ({APP: BAD_KEY, API: PAGE}, Halt),
        ({APP: httpx.Response(429), API: SAYS_7}, RateLimited),
    ],
)
def test_nothing_is_paid_where_no_host_is_the_api(free: Mapping[str, Answer], error: type[Exception]) -> None:
    network, memory = Network(free), DictMemory()
    with pytest.raises(error):
        submit(network, memory)
    assert all(method == "GET" for method, _ in network.calls)
    assert memory.kept == {}


@pytest.mark.parametrize("free", [{APP: PAGE, API: BAD_KEY}, {APP: BAD_KEY, API: PAGE}, {APP: BAD_KEY, API: BAD_KEY}])
def test_what_the_api_says_counts_more_than_what_a_page_says(free: Mapping[str, Answer]) -> None:
    with pytest.raises(Halt) as caught:
        use(lambda: Network(free).connector(), lambda c: c.balance())
    assert caught.value.trouble is Trouble.CREDENTIALS


def test_c10_where_neither_host_is_the_api_the_cure_names_neither() -> None:
    with pytest.raises(Halt) as caught:
        use(lambda: Network({APP: PAGE, API: PAGE}).connector(), lambda c: c.balance())
    assert str(caught.value).startswith(
        "neither app.zeliq.com nor api.zeliq.com answers as Zeliq's API: HTTP 200 with "
    )
    assert "network.proxy" in caught.value.cure
    assert "zeliq.com" not in caught.value.cure


@pytest.mark.parametrize("free", [{APP: PAGE, API: UNKNOWN_HOST}, {APP: UNKNOWN_HOST, API: PAGE}])
def test_c10_where_one_of_them_could_not_be_reached_it_is_tried_again(free: Mapping[str, Answer]) -> None:
    with pytest.raises(Retry, match="could not reach"):
        use(lambda: Network(free).connector(), lambda c: c.balance())


def test_where_no_host_tells_a_balance_the_default_is_called() -> None:
    network, memory = Network({APP: httpx.Response(200, json={}), API: PAGE}), DictMemory()
    assert submit(network, memory).provider_id == "job-1"
    assert network.calls == [("GET", APP), ("GET", API), ("POST", APP)]
    assert memory.kept == {}


def test_many_first_calls_at_once_look_for_the_host_once() -> None:
    network = Network({APP: PAGE, API: SAYS_7})

    async def ask_often(connector: Connector) -> None:
        await asyncio.gather(*(connector.submit(WHAT) for _ in range(5)))

    use(network.connector, ask_often)
    assert network.calls == [("GET", APP), ("GET", API), *[("POST", API)] * 5]


def test_a_configured_host_is_the_only_one() -> None:
    with scripted(Reply(202, {"jobId": "job-1"}), Reply(200, b"<html>")) as script:

        async def ask_and_check(connector: Connector) -> None:
            await connector.submit(WHAT)
            assert [f.level for f in await connector.check()] == [Level.ERROR]

        memory = DictMemory({"host": "https://api.zeliq.com"})
        tools = Tools(clock=StillClock(), rng=random.Random(1), memory=memory)
        use(lambda: Connector("zeliq", Options(api_key=SecretStr("sk-x")), script.url, tools), ask_and_check)
    assert [call.method for call in script.calls] == ["POST", "GET"]
