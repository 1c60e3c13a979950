"""The operator's pages: what they show, what they do, and whom they believe."""

import asyncio
import contextlib
import json
import re
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable
from dataclasses import replace
from functools import partial
from html.parser import HTMLParser
from itertools import pairwise
from typing import TypeVar

import httpx
import pytest
import structlog
from pydantic import SecretStr

from syncd.contract.model import Identity
from syncd.ledger import glances, pauses, reports, reviews
from syncd.ledger.states import JobState, Reason
from syncd.observe.summary import SIGNS
from syncd.pages import timeline, words
from syncd.pages.live import MOST, Live
from syncd.pages.review import differs
from syncd.pages.sessions import Sessions
from syncd.pages.site import HERE
from syncd.web import private
from syncd.words import Standing

from .callers import served
from .conftest import Build
from .harness import Harness
from .test_approve import approving

T = TypeVar("T")
TOKEN = "the operator's token"
PAGES = [
    "/", "/syncs", "/syncs/people", "/contacts", "/contacts?q=state:done", "/review", "/doubts", "/providers", "/runs",
    "/budgets", "/settings", "/pause?name=people", "/resume?name=", "/pull?name=people", "/undo?run=1", "/login",
]  # fmt: skip
VOID = {"meta", "br", "input", "link"}
ANN = "crm/contacts/501"


class Page(HTMLParser):
    """A page as a browser takes it: elements in order, text, fields of forms."""

    def __init__(self, reply: httpx.Response) -> None:
        super().__init__()
        self.open: list[str] = []
        self._text = ""
        self.fields: dict[str, list[str]] = {}
        self.links: list[str] = []
        self.feed(reply.text)
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = {key: value or "" for key, value in attrs}
        assert not any(key == "style" or key.startswith("on") for key in found), "the content policy forbids it"
        if tag == "input" and found.get("type") == "hidden":
            self.fields.setdefault(found["name"], []).append(found["value"])
        if "href" in found:
            self.links.append(found["href"])
        if tag not in VOID and not self.get_starttag_text().endswith("/>"):  # type: ignore[union-attr] # it stands there
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self._text += data

    @property
    def text(self) -> str:
        return " ".join(self._text.split())


def browse(harness: Harness, what: Callable[[httpx.AsyncClient], Awaitable[T]]) -> T:
    """Look at the pages of a harness as a browser does: with cookies, and saying where a form comes from."""

    async def go() -> T:
        async with served(private.application(harness.parts)) as line:
            base = f"http://127.0.0.1:{line.port}"
            headers = {"origin": base, "accept": "text/html"}
            async with httpx.AsyncClient(base_url=base, headers=headers, trust_env=False, timeout=30) as client:
                return await what(client)

    return harness.run(go())


def look(harness: Harness, path: str) -> Page:
    return Page(browse(harness, lambda client: client.get(path)))


def submit(harness: Harness, page: str, path: str, **more: str) -> Page:
    """Send the form of a page; the page that one is led to."""

    async def go(client: httpx.AsyncClient) -> httpx.Response:
        reply = await client.post(path, data={**Page(await client.get(page)).fields, **more})
        assert reply.status_code == 303, reply.text
        return await client.get(reply.headers["location"])

    return Page(browse(harness, go))


@pytest.fixture
def written(written: Harness) -> Harness:
    """As everywhere, and the ledger knows the configuration, as after a start."""
    written.recover()
    return written


def guarded(harness: Harness) -> Harness:
    admin = harness.settings.admin.model_copy(update={"token": SecretStr(TOKEN)})
    harness.reopen(replace(harness.settings, admin=admin))
    return harness


# --- what is shown ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    "path", [*PAGES, f"/contacts/{ANN}", f"/contacts/{ANN}?show=money&full=1", f"/retry?contact={ANN}"]
)
def test_each_page_is_whole_and_says_what_it_is(written: Harness, path: str) -> None:
    reply = browse(written, lambda client: client.get(path))
    assert reply.status_code == 200, reply.text
    page = Page(reply)
    assert re.findall("<h1", reply.text) == ["<h1"]
    assert page.links
    assert all(link.startswith(("/", "#", "?")) for link in page.links), "nothing from elsewhere"


@pytest.mark.parametrize("path", PAGES)
def test_each_page_of_an_empty_ledger_says_what_comes_next(harness: Harness, path: str) -> None:
    reply = browse(harness, lambda client: client.get(path))
    assert reply.status_code == 200, reply.text
    Page(reply)


def test_the_first_page_says_first_whether_it_works_and_what_needs_a_person(build: Build) -> None:
    harness, _ = approving(build, people=2)
    text = look(harness, "/").text
    assert text.index("2 values wait for you.") < text.index("Needs you") < text.index("Now")


def test_the_first_day_says_what_to_do(harness: Harness) -> None:
    text = look(harness, "/").text
    assert "Nothing has run yet." in text
    assert text.index("syncd check") < text.index("syncd plan") < text.index("Run people now")


def test_a_contacts_journey_says_who_when_why_and_at_what_cost(written: Harness) -> None:
    text = look(written, f"/contacts/{ANN}").text
    for told in (
        "asked (settled)",
        "charged 1 credit",
        "ada@acme.example.com (valid)",
        "new: ada@acme.example.com",
        "run",
    ):
        assert told in text
    assert "charged" not in look(written, f"/contacts/{ANN}?show=changes").text.partition("What happened")[2]
    assert "is being asked" in look(written, f"/contacts/{ANN}?full=1").text


def test_a_search_that_can_not_be_read_says_why(written: Harness) -> None:
    reply = browse(written, lambda client: client.get("/contacts?q=stat:done"))
    assert reply.status_code == 400
    assert "nothing is filtered by" in Page(reply).text
    assert "No contact is like that" in look(written, "/contacts?q=nobody").text


def test_what_is_shown_is_text_whatever_stands_in_it(harness: Harness) -> None:
    harness.crm.add(Identity(full_name="<script>alert(1)</script>", company="Acme", domain="acme.example"))
    harness.pull()
    harness.plan()
    reply = browse(harness, lambda client: client.get("/contacts"))
    assert "<script>alert" not in reply.text
    assert "&lt;script&gt;" in reply.text


def test_c21_each_state_of_a_page_has_its_picture() -> None:
    """As `python -m tests.browser docs/pictures` takes them."""
    kept = {path.stem for path in (HERE.parents[1] / "docs/pictures/states").iterdir()}
    pages = {"overview", "syncs", "sync", "contacts", "review", "doubts", "providers", "runs", "budgets", "settings"}
    assert {f"empty-{name}" for name in (*pages, "left-alone")} <= kept
    assert {
        f"error-{name}" for name in pages - {"budgets", "settings"} | {"contact", "undo", "nothing", "left-alone"}
    } <= kept
    assert {"few-overview", "few-sync", "few-providers"} <= kept


def test_nothing_that_is_not_there_is_a_bare_answer(written: Harness) -> None:
    for path in (
        "/nothing",
        "/syncs/nobody",
        "/contacts/crm/contacts/9",
        "/review/9",
        "/deliveries/9",
        "/review/forgive",
    ):
        reply = browse(written, partial(httpx.AsyncClient.get, url=path))
        assert (reply.status_code, "That did not work" in reply.text) == (404, True), path


# --- what is done -----------------------------------------------------------------------------


def test_picked_values_are_accepted_after_a_page_has_asked(build: Build) -> None:
    harness, _ = approving(build, people=3)
    waiting = harness.run(harness.ledger.read(reviews.waiting))
    chosen = f"/review/accept?id={waiting[0].id}&id={waiting[1].id}"
    assert "Accept 2 values?" in look(harness, chosen).text
    assert "About 3 calls to the CRM." in look(harness, chosen).text
    assert "2 values accepted" in submit(harness, chosen, "/review/accept").text
    decided = harness.sql("SELECT decision, decided_by FROM review WHERE decision <> ''")
    assert [tuple(row) for row in decided] == [("accepted", "somebody by the page")] * 2


def test_all_that_match_are_those_that_were_shown_and_no_others(build: Build) -> None:
    harness, _ = approving(build, people=3)

    async def go(client: httpx.AsyncClient) -> httpx.Response:
        fields = Page(await client.get("/review/refuse?field=email")).fields
        first = (await harness.ledger.read(reviews.waiting))[0]
        await harness.ledger.write(reviews.decide, [first.id], reviews.ACCEPTED, "a colleague", now=harness.clock.now())
        return await client.post("/review/refuse", data=fields)

    reply = browse(harness, go)
    assert reply.status_code == 409
    assert "3 were shown, and 2 fit now" in Page(reply).text
    assert not harness.sql("SELECT 1 FROM review WHERE decision = 'refused'")
    assert "2 values refused" in submit(harness, "/review/refuse?field=email", "/review/refuse").text


def test_a_sync_is_paused_with_a_reason_and_goes_on(harness: Harness) -> None:
    page = submit(harness, "/pause?name=people", "/pause", reason="clean-up", until="4h")
    assert "people is paused." in page.text
    assert "clean-up" in page.text
    [pause] = harness.run(harness.ledger.read(pauses.in_force, now=harness.clock.now()))
    assert (pause.name, pause.why, pause.by) == ("people", "clean-up", "somebody by the page")
    assert pause.until == pytest.approx(harness.clock.now() + 4 * 3600, abs=1)
    assert "people goes on." in submit(harness, "/resume?name=people", "/resume").text


def test_a_time_that_can_not_be_read_is_told_beside_what_was_typed(harness: Harness) -> None:
    async def go(client: httpx.AsyncClient) -> httpx.Response:
        fields = Page(await client.get("/pause?name=people")).fields
        return await client.post("/pause", data={**fields, "reason": "clean-up", "until": "soon"})

    reply = browse(harness, go)
    assert reply.status_code == 400
    assert 'value="clean-up"' in reply.text
    assert "is no time" in Page(reply).text


@pytest.mark.parametrize("place", ["9" * 30, "-1", "-" + "9" * 30])
def test_a_place_beyond_all_runs_is_no_failure(written: Harness, place: str) -> None:
    assert look(written, f"/runs?before={place}").text.startswith("Runs · syncd")


def test_what_was_written_is_put_back_if_it_is_what_was_shown(written: Harness) -> None:
    assert "Put back 1 value?" in (shown := look(written, f"/undo?contact={ANN}").text)
    assert "About 3 calls to the CRM." in shown
    page = submit(written, f"/undo?contact={ANN}", "/undo")
    assert "values are put back where they are still ours" in page.text
    assert written.undoing() == 1
    assert written.held("501") == ""
    assert "1 put back" in look(written, "/runs/2").text


def test_a_contact_is_asked_about_again_at_a_price_that_is_shown_first(written: Harness) -> None:
    other = "crm/contacts/502"
    assert "At most" in look(written, f"/retry?contact={other}").text
    assert "decided on again" in submit(written, f"/retry?contact={other}", "/retry").text
    assert written.sql("SELECT retried_at FROM job WHERE reason = 'not_found'")[0][0] > 0


def test_each_action_leaves_a_line_with_who_and_from_where(harness: Harness) -> None:
    with structlog.testing.capture_logs() as lines:
        submit(guarded(harness), *("/login?next=/syncs", "/login"), token=TOKEN, name="Maria")
    [line] = [one for one in lines if one["event"] == "operator_action"]
    assert (line["action"], line["by"], line["client"]) == ("login", "Maria by the page", "127.0.0.1")


# --- whom they believe ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 303),
        ({"origin": "http://evil.example.com"}, 403),
        ({"origin": "null"}, 403),
        ({"origin": ""}, 403),
        ({"origin": "http://127.0.0.1:1"}, 403),
        ({"content-type": "text/plain"}, 415),
        ({"content-type": "multipart/form-data; boundary=x"}, 415),
    ],
)
def test_only_a_page_of_ours_can_send_a_form(harness: Harness, headers: dict[str, str], status: int) -> None:
    async def go(client: httpx.AsyncClient) -> int:
        fields = Page(await client.get("/pause?name=people")).fields
        return (await client.post("/pause", data=fields, headers=headers)).status_code

    assert browse(harness, go) == status
    assert bool(harness.run(harness.ledger.read(pauses.in_force, now=0.0))) == (status == 303)


@pytest.mark.parametrize("mark", ["", "0" * 64, "\udce9"])
def test_a_form_without_our_mark_does_nothing(harness: Harness, mark: str) -> None:
    async def go(client: httpx.AsyncClient) -> httpx.Response:
        await client.get("/")
        body = b"name=people&mark=" + mark.encode("utf-8", "surrogateescape")
        return await client.post("/pause", content=body, headers={"content-type": "application/x-www-form-urlencoded"})

    reply = browse(harness, go)
    assert (reply.status_code, "Nothing was done" in reply.text) == (403, True)
    assert not harness.run(harness.ledger.read(pauses.in_force, now=0.0))


def test_a_form_of_another_session_does_nothing(harness: Harness) -> None:
    async def go(client: httpx.AsyncClient) -> int:
        fields = Page(await client.get("/pause?name=people")).fields
        client.cookies.clear()
        await client.get("/")
        return (await client.post("/pause", data=fields)).status_code

    assert browse(harness, go) == 403


@pytest.mark.parametrize("path", [*PAGES[:-1], f"/contacts/{ANN}", "/live"])
def test_whoever_is_not_logged_in_sees_nothing_but_the_login(written: Harness, path: str) -> None:
    reply = browse(guarded(written), lambda client: client.get(path))
    assert reply.status_code == 401
    assert "ada" not in reply.text.lower()
    assert path == "/live" or 'name="token"' in reply.text


def test_with_the_token_one_comes_to_the_page_that_one_wanted_and_out_again(harness: Harness) -> None:
    async def go(client: httpx.AsyncClient) -> None:
        first = Page(await client.get("/syncs?x=1"))
        reply = await client.post("/login", data={**first.fields, "token": TOKEN, "name": "Maria"})
        assert (reply.status_code, reply.headers["location"]) == (303, "/syncs?x=1")
        cookie = reply.headers["set-cookie"].lower()
        assert all(word in cookie for word in ("httponly", "samesite=strict", "path=/"))
        page = await client.get("/syncs")
        assert "Logged in as Maria" in Page(page).text
        assert (await client.get("/api/status")).status_code == 200
        kept = dict(client.cookies)
        assert (await client.post("/api/undo", json={"run": 1, "do": True})).status_code == 401, (
            "a cookie changes nothing"
        )
        assert (await client.post("/logout", data=Page(page).fields)).status_code == 303
        client.cookies.update(kept)
        assert (await client.get("/syncs")).status_code == 401, "the cookie opens nothing any more"

    browse(guarded(harness), go)


def test_a_wrong_token_opens_nothing(harness: Harness) -> None:
    async def go(client: httpx.AsyncClient) -> tuple[int, int]:
        wrong = await client.post("/login", data={"token": TOKEN + "x"})
        return wrong.status_code, (await client.get("/")).status_code

    assert browse(guarded(harness), go) == (401, 401)


@pytest.mark.parametrize("where", ["https://evil.example.com/", "//evil.example.com", "/\\evil.example.com", "evil"])
def test_nobody_is_led_elsewhere(harness: Harness, where: str) -> None:
    async def go(client: httpx.AsyncClient) -> str:
        return (await client.post("/login", data={"token": TOKEN, "next": where})).headers["location"]

    assert browse(guarded(harness), go) == "/"


def test_sessions_outlive_a_restart_and_not_another_token() -> None:
    cookie = Sessions(TOKEN).cookie(Sessions(TOKEN).begin("Maria"))
    assert (Sessions(TOKEN).read(cookie) or Sessions(TOKEN).begin()).name == "Maria"
    assert Sessions("another").read(cookie) is None
    assert Sessions(TOKEN).read(cookie[:-1] + ("0" if cookie[-1] != "0" else "1")) is None
    assert Sessions(TOKEN).read("") is None
    assert Sessions(TOKEN).read("\xe9.x") is None


# --- live -------------------------------------------------------------------------------------


def test_the_stream_tells_the_figures_again_and_again(written: Harness) -> None:
    async def go() -> list[dict[str, str]]:
        told: list[dict[str, str]] = []
        async with served(private.application(written.parts)) as line:
            base = f"http://127.0.0.1:{line.port}"
            client = httpx.AsyncClient(base_url=base, trust_env=False, timeout=10)
            async with client, client.stream("GET", "/live") as reply:
                assert reply.headers["content-type"].startswith("text/event-stream")
                lines = reply.aiter_lines()
                while len(told) < 2:
                    text = await anext(lines)
                    told += [json.loads(text.removeprefix("data: "))] if text.startswith("data: ") else []
        return told

    told = written.run(go())
    assert told[0]["written"] == "1"
    assert set(told[0]) >= {"sentence", "reviews", "doubts", "moving", "state people"}


def test_c4_what_is_counted_one_by_one_says_so_where_there_are_many() -> None:
    assert glances.Frame(reviews=0, doubts=2, set_aside=7).troubles == "9"
    assert glances.Frame(reviews=0, doubts=2, set_aside=glances.MANY + 1).troubles == "1,000+"


def test_an_open_stream_does_not_keep_the_daemon_from_ending(written: Harness) -> None:
    async def go() -> float:
        loop = asyncio.get_running_loop()
        async with httpx.AsyncClient(trust_env=False, timeout=10) as client:
            async with served(private.application(written.parts)) as line:
                reply = await client.send(
                    client.build_request("GET", f"http://127.0.0.1:{line.port}/live"), stream=True
                )
                lines = reply.aiter_lines()
                await anext(lines)
                began = loop.time()
            return loop.time() - began

    assert written.run(go()) < 2.0


def test_more_pages_than_can_be_told_are_asked_to_come_again(harness: Harness) -> None:
    async def go() -> tuple[bool, bool]:
        live = Live(harness.parts, most=1)
        before, stream = live.is_full, live.stream(asyncio.Event())
        await anext(stream)
        full = live.is_full
        await stream.aclose()  # type: ignore[attr-defined]
        return before, full

    assert harness.run(go()) == (False, True)


def test_twenty_pages_are_told_and_the_next_one_is_asked_to_come_again(harness: Harness) -> None:
    async def go(client: httpx.AsyncClient) -> list[int]:
        async with contextlib.AsyncExitStack() as stack:
            replies = [await stack.enter_async_context(client.stream("GET", "/live")) for _ in range(MOST)]
            return [*(one.status_code for one in replies), (await client.get("/live")).status_code]

    assert browse(harness, go) == [*[200] * MOST, 503]


def test_a_daemon_that_nobody_looks_at_does_without_the_pages() -> None:
    program = "import sys, syncd.working; print({'jinja2', 'syncd.pages.app'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"


# --- words ------------------------------------------------------------------------------------


def test_every_state_has_a_sign_a_colour_and_words() -> None:
    assert {*JobState, *Reason} == set(words.STATES)
    assert set(SIGNS) == set(Standing) == set(words.STANDINGS)
    assert len({said for _, _, said in words.STATES.values()}) == len(words.STATES)


@pytest.mark.parametrize(
    ("old", "new", "parts"),
    [
        ("+33144000000", "+33612345678", ("+33", "144000000", "612345678", "")),
        ("ana@acme.example", "anna@acme.example", ("an", "", "n", "a@acme.example")),
        ("", "x", ("", "", "x", "")),
        ("same", "same", ("same", "", "", "")),
    ],
)
def test_what_differs_between_two_values(old: str, new: str, parts: tuple[str, str, str, str]) -> None:
    assert differs(old, new) == parts


# --- charts, and a long journey ---------------------------------------------------------------


@pytest.mark.parametrize("path", ["/", "/syncs", "/syncs/people", "/providers", "/budgets"])
def test_c9_every_chart_has_a_title_a_finding_and_a_table_of_the_same(written: Harness, path: str) -> None:
    text = browse(written, lambda client: client.get(path)).text
    for place in (found.start() for found in re.finditer("<svg", text)):
        chart = text[place : text.index("</svg>", place)]
        for part in ("title", "desc"):
            [said] = re.findall(rf"<{part}[^>]*>([^<]*)</{part}>", chart)
            assert said.strip(), path
        before = text[:place]
        within = before.count("<table") > before.count("</table")
        section = text[place:].partition("</section>")[0]
        assert within or "The same as a table" in section or 'href="/runs?sync=' in section, path


def test_c9_charts_can_be_read_in_grey() -> None:
    style = (HERE / "static" / "syncd.css").read_text("utf-8")
    printed = style[style.index("@media print") :]
    assert ".chart .bar { fill: #555 }" in printed


def test_c19_a_journey_of_five_hundred_events_is_quick_and_its_waits_are_one_line_each(written: Harness) -> None:
    journey = written.run(written.ledger.read(reports.journey, written.ref("501")))
    assert journey is not None
    job = journey["jobs"][0]
    first = job["events"][0]
    job["events"] = [{**first, "at": first["at"] + 61.0 * number, "source": "queued"} for number in range(500)]
    began = time.process_time()
    entries = timeline.entries(journey, show="all", full=True)
    assert time.process_time() - began < 0.1
    events = [one for one in entries if "at" in one]
    assert len(events) >= 500
    assert not any("wait" in one and "wait" in other for one, other in pairwise(entries))
    assert any(one.get("wait") == "1 min 1 s" for one in entries)


def test_c19_a_raw_answer_is_folded_and_shown_without_addresses(written: Harness) -> None:
    text = browse(written, lambda client: client.get(f"/contacts/{ANN}")).text
    [number] = set(re.findall(r'<details><summary>1 raw answer.*?href="/deliveries/(\d+)"', text, re.DOTALL))
    shown = look(written, f"/deliveries/{number}").text
    assert "ada@acme.example.com" not in shown
    assert "masked" in shown
