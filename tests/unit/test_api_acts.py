"""What is done through the private API: the same as by commands and on the pages."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

import httpx
import pytest
from typer.testing import CliRunner

from syncd.cli import COMMANDS
from syncd.cli import app as cli
from syncd.config import InDoubtPolicy
from syncd.contract.errors import InDoubt
from syncd.ledger import pauses, upkeep
from syncd.pages.app import SITE_ACTIONS, application
from syncd.pages.sessions import Sessions
from syncd.pipeline import sweep
from syncd.web import private
from syncd.web.acts import ACTS
from tests.contract.fake_provider import FakeProvider

from .callers import served
from .conftest import Build
from .harness import EMAIL, ONE_BY_ONE, Harness
from .test_pages import look

# By the page's action: the command with its arguments, and the API's path that do the same.
TWINS = {
    "pause": ("pause", "/api/pause"),
    "resume": ("resume", "/api/resume"),
    "pull": ("pull", "/api/pull"),
    "review": ("review accept", "/api/reviews/{decision}"),
    "in-doubt": ("in-doubt resolve", "/api/in-doubt"),
    "retry": ("retry", "/api/retry"),
    "undo": ("undo", "/api/undo"),
    "stop": ("undo --stop", "/api/stop"),
    "enrich": ("enrich", "/api/enrich"),
    "suppress": ("suppress add", "/api/suppress"),
    "unsuppress": ("suppress remove", "/api/unsuppress"),
    "forget": ("forget", "/api/forget"),
    "export": ("export", "/api/export"),
}
# Commands without a page, and why. All others show what a page shows, or do what a page does.
NO_PAGE = {
    **dict.fromkeys(("init", "demo", "sandbox", "run", "setup", "check", "doctor"), "before or without a daemon"),
    **dict.fromkeys(
        ("backup", "restore", "migrate", "verify", "thaw", "reconcile"), "about the ledger's file on this host"
    ),
    **dict.fromkeys(("connectors", "completion", "config", "alert"), "about the installation on this host"),
    "plan": "runs a whole pull on a copy of the ledger: minutes, and a copy of the disk's size",
}
SHOWN = {  # by the command that shows something: the page that shows the same
    "status": "/", "contacts": "/contacts", "show": "/contacts/{connection}/{object}/{id}", "runs": "/runs",
    "report": "/providers",
}  # fmt: skip


def post(harness: Harness, path: str, body: Any, **headers: str) -> httpx.Response:
    async def go() -> httpx.Response:
        async with served(private.application(harness.parts)) as line, httpx.AsyncClient(trust_env=False) as client:
            return await client.post(f"http://127.0.0.1:{line.port}{path}", json=body, headers=headers)

    return harness.run(go())


def get(harness: Harness, path: str) -> Any:
    async def go() -> Any:
        async with served(private.application(harness.parts)) as line, httpx.AsyncClient(trust_env=False) as client:
            return (await client.get(f"http://127.0.0.1:{line.port}{path}")).json()

    return harness.run(go())


def test_what_can_be_done_on_the_pages_is_a_command_and_in_the_api(harness: Harness) -> None:
    app = private.application(harness.parts)
    posts = {route.path for route in app.routes if "POST" in (getattr(route, "methods", None) or ())}  # type: ignore[attr-defined]
    assert SITE_ACTIONS.keys() == TWINS.keys()
    assert {path for _, path in TWINS.values()} == posts
    commands = {command.partition(" ")[0] for command, _ in TWINS.values()}
    assert commands | NO_PAGE.keys() | SHOWN.keys() == COMMANDS.keys()
    assert not commands & NO_PAGE.keys()
    for command, _ in TWINS.values():
        words = command.split()
        assert words[-1] in CliRunner().invoke(cli, [*(one for one in words if one[0] != "-"), "--help"]).output


def test_each_page_that_asks_names_the_command_that_does_the_same(written: Harness) -> None:
    written.recover()
    ref = "crm/contacts/501"
    asked = {
        "/resume?name=people": "syncd resume people",
        "/resume?name=": "syncd resume --all",
        "/pull?name=people": "syncd pull people",
        "/retry?contact=crm/contacts/502": "syncd retry crm/contacts/502 --yes",
        f"/enrich?contact={ref}": f"syncd enrich {ref} --yes",
        f"/suppress?value={ref}": f"syncd suppress add {ref} --reason …",
        f"/export?who={ref}": f"syncd export {ref}",
        f"/forget?who={ref}": f"syncd forget {ref} --yes",
    }
    for path, command in asked.items():
        assert look(written, path).text.partition("The same as command: ")[2].startswith(command), path


def test_what_a_command_shows_has_a_page(harness: Harness) -> None:
    pages = {getattr(route, "path", "") for route in application(harness.parts, Sessions(None)).routes}
    assert set(SHOWN.values()) <= pages
    assert ACTS.keys() <= TWINS.keys()


def test_a_sync_is_paused_and_goes_on(harness: Harness) -> None:
    told = post(harness, "/api/pause", {"name": "people", "reason": "clean-up", "until": "4h"}).json()
    assert (told["kind"], told["name"], told["reason"]) == ("sync", "people", "clean-up")
    [pause] = harness.run(harness.ledger.read(pauses.in_force, now=harness.clock.now()))
    assert (pause.name, pause.by) == ("people", "the private API")
    assert post(harness, "/api/resume", {"name": "people"}).json()["resumed"] is True
    assert post(harness, "/api/resume", {}).json() == {"kind": "all", "name": "", "resumed": False}


def test_what_was_in_vain_is_decided_on_again_once_it_is_wanted(written: Harness) -> None:
    wish: Mapping[str, object] = {"query": "reason:not_found"}
    assert post(written, "/api/retry", wish).json() == {"jobs": 1, "done": False}
    assert post(written, "/api/retry", {**wish, "do": True}).json() == {"jobs": 1, "done": True}
    assert written.sql("SELECT retried_at > 0 FROM job WHERE reason = 'not_found'")[0][0] == 1


def in_doubt(build: Build) -> Harness:
    """A harness with a call of which nobody knows whether it arrived."""
    provider = FakeProvider("ann", capabilities=ONE_BY_ONE)
    harness = build(providers=[provider], fields={EMAIL: ["ann"]}, in_doubt=InDoubtPolicy.ASK)
    harness.person("Ada")
    provider.refusals.append(InDoubt("the connection was cut"))
    harness.ask()
    return harness


def test_a_call_in_doubt_is_decided_on(build: Build) -> None:
    harness = in_doubt(build)
    [call] = get(harness, "/api/in-doubt")
    assert call["provider"] == "ann"
    assert call["contacts"] == ["crm/contacts/501"]
    assert post(harness, "/api/in-doubt", {"calls": ["nothing"], "decision": "sent"}).status_code == 400
    told = post(harness, "/api/in-doubt", {"calls": [call["id"]], "decision": "not-sent"}).json()
    assert told == {"decision": "never arrived", "calls": [call["id"]]}
    assert get(harness, "/api/in-doubt") == []


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/api/pause", {"name": "nobody"}),
        ("/api/pause", {"name": "people", "until": "soon"}),
        ("/api/pause", {"name": 1}),
        ("/api/pause", []),
        ("/api/pull", {}),
        ("/api/retry", {}),
        ("/api/retry", {"query": "stat:done"}),
        ("/api/in-doubt", {}),
        ("/api/in-doubt", {"calls": ["x"], "decision": "forget"}),
        ("/api/in-doubt", {"calls": ["x"], "charged": -1}),
    ],
)
def test_what_can_not_be_done_is_told(harness: Harness, path: str, body: Any) -> None:
    reply = post(harness, path, body)
    assert reply.status_code == 400
    assert reply.json()["error"]


def test_a_form_of_another_page_does_nothing(harness: Harness) -> None:
    assert post(harness, "/api/pause", {}, **{"content-type": "text/plain"}).status_code == 415
    assert not harness.run(harness.ledger.read(pauses.in_force, now=harness.clock.now()))


def test_a_sync_that_is_wanted_by_a_command_is_pulled_once(harness: Harness) -> None:
    bell = harness.parts.bells.bells["pull:people"] = asyncio.Event()
    harness.run(harness.ledger.write(upkeep.set_mark, upkeep.PULL_NOW + "people", harness.clock.now()))
    harness.run(sweep.run_once(harness.parts))
    assert bell.is_set()
    bell.clear()
    harness.run(sweep.run_once(harness.parts))
    assert not bell.is_set()
    assert post(harness, "/api/pull", {"name": "people"}).json() == {"name": "people"}
    assert bell.is_set()
