"""What is done at a person's wish, and what else pages, API and commands have in common."""

from __future__ import annotations

import json
from typing import Any

import httpx
import pytest
import structlog
from typer.testing import CliRunner

from syncd.cli import app
from syncd.contract.errors import Retry
from syncd.ledger import reviews, undos, upkeep
from syncd.ledger.claims import Kind
from syncd.pipeline import sweep, work

from .conftest import Build
from .harness import Harness
from .test_api_acts import in_doubt, post
from .test_approve import approving
from .test_cli_review import CONFIG
from .test_pages import ANN, Page, browse, look, submit

MAIL = "ada@acme.example.com"


def noted(lines: list[Any]) -> list[str]:
    """The actions of the audit lines."""
    return [one["action"] for one in lines if one["event"] == "operator_action"]


def command(harness: Harness, *arguments: str) -> Any:
    file = harness.path.parent / "config.yaml"
    file.write_text(CONFIG.format(path=json.dumps(str(harness.path)), secret="x" * 40), encoding="utf-8")
    done = CliRunner().invoke(app, [*arguments, "-c", str(file), "--json"])
    assert done.exit_code == 0, (done.output, done.exception)
    return json.loads(done.stdout)


def test_somebody_is_left_alone_and_taken_from_the_list(written: Harness) -> None:
    asks = f"/suppress?value={ANN}&reason=asked"
    assert "Leave crm/contacts/501 alone?" in look(written, asks).text
    with structlog.testing.capture_logs() as lines:
        page = submit(written, asks, "/suppress", reason="asked us to")
    assert "left alone from now on" in page.text
    assert "asked us to" in page.text
    assert noted(lines) == ["suppress"]
    [entry] = command(written, "suppress", "list")
    assert "decided on anew" in submit(written, f"/unsuppress?value={entry['id']}", "/unsuppress").text
    assert "The list is empty." in look(written, "/suppressions").text
    assert look(written, "/suppressions").fields == {}


def test_by_the_api_the_same(written: Harness) -> None:
    assert post(written, "/api/suppress", {"values": [MAIL, ANN], "reason": "x"}).json() == {"new": 2, "known": 0}
    assert post(written, "/api/unsuppress", {"values": [MAIL]}).json() == {"removed": 1}
    assert post(written, "/api/unsuppress", {"values": [MAIL]}).status_code == 400
    assert post(written, "/api/export", {"who": ANN}).json()["records"][0]["contact"] == ANN
    shown = post(written, "/api/forget", {"who": ANN}).json()
    assert (shown["done"], shown["records"]) == (False, [ANN])
    done = post(written, "/api/forget", {"who": ANN, "do": True}).json()
    assert (done["done"], done["gone"]["records"]) == (True, 1)
    assert written.sql("SELECT count(*) FROM contact WHERE ext_id = '501'") == [(0,)]


def test_a_person_is_exported_as_a_file_and_that_is_noted(written: Harness) -> None:
    assert "personal data in full" in look(written, f"/export?who={ANN}").text

    async def go(client: httpx.AsyncClient) -> httpx.Response:
        fields = Page(await client.get(f"/export?who={ANN}")).fields
        return await client.post("/export", data=fields)

    with structlog.testing.capture_logs() as lines:
        reply = browse(written, go)
    assert reply.headers["content-disposition"] == 'attachment; filename="person.json"'
    assert reply.json()["records"][0]["contact"] == ANN
    assert noted(lines) == ["export"]


def test_a_person_is_erased_after_a_page_has_said_what_is_held(written: Harness) -> None:
    text = look(written, f"/forget?who={ANN}").text
    assert "can't be taken back" in text
    assert "records: 1" in text
    with structlog.testing.capture_logs() as lines:
        page = submit(written, f"/forget?who={ANN}", "/forget")
    assert "left alone from now on" in page.text, page.text
    assert noted(lines) == ["forget"]
    assert written.sql("SELECT count(*) FROM contact WHERE ext_id = '501'") == [(0,)]
    assert browse(written, lambda client: client.get(f"/contacts/{ANN}")).status_code == 404


def test_a_contact_is_asked_about_now(written: Harness) -> None:
    other = "crm/contacts/502"
    assert "before everybody else" in look(written, f"/enrich?contact={other}").text
    with structlog.testing.capture_logs() as lines:
        page = submit(written, f"/enrich?contact={other}", "/enrich")
    assert "Decided on: at most" in page.text
    assert noted(lines) == ["enrich"]


def test_a_command_leaves_a_mark_by_which_the_daemon_asks_now(written: Harness) -> None:
    new = written.person("Cy")
    told = command(written, "enrich", f"crm/contacts/{new}")
    assert (told["sync"], told["done"]) == ("people", False)
    assert not written.run(written.ledger.read(upkeep.marks, upkeep.ENRICH_NOW))
    command(written, "enrich", f"crm/contacts/{new}", "--yes")
    written.run(sweep.run_once(written.parts))
    assert written.state(new) == "queued"
    assert not written.run(written.ledger.read(upkeep.marks, upkeep.ENRICH_NOW))


def test_where_the_crm_can_not_be_read_the_mark_stays(written: Harness) -> None:
    new = written.person("Cy")
    command(written, "enrich", f"crm/contacts/{new}", "--yes")
    written.crm.fail("look", Retry("no route"))
    written.run(sweep.run_once(written.parts))
    assert written.run(written.ledger.read(upkeep.marks, upkeep.ENRICH_NOW))


def test_whoever_is_erased_leaves_no_mark(written: Harness) -> None:
    command(written, "enrich", ANN, "--yes")
    command(written, "forget", ANN, "--yes")
    assert not written.run(written.ledger.read(upkeep.marks, upkeep.ENRICH_NOW))


def test_a_reason_for_refusing_stands_in_the_history(build: Build) -> None:
    harness, [ada, bo, _] = approving(build, people=3)
    one, two, three = harness.run(harness.ledger.read(reviews.waiting))
    assert 'name="reason"' in browse(harness, lambda client: client.get(f"/review/refuse?id={one.id}")).text
    submit(harness, f"/review/refuse?id={one.id}", "/review/refuse", reason="wrong person")
    command(harness, "review", "refuse", str(two.id), "--reason", "wrong format")
    post(harness, "/api/reviews/refuse", {"ids": [three.id], "reason": "old"})
    notes = [note for (note,) in harness.sql("SELECT note FROM event WHERE note LIKE 'refused by %'")]
    assert [note.rpartition(": ")[2] for note in notes] == ["wrong person", "wrong format", "old"]
    assert "wrong person" in look(harness, f"/contacts/crm/contacts/{ada}").text
    assert "wrong format" in look(harness, f"/contacts/crm/contacts/{bo}").text


@pytest.mark.parametrize("by", ["page", "api", "command"])
def test_an_undo_is_stopped_before_it_has_put_back_all(written: Harness, by: str) -> None:
    run = int(post(written, "/api/undo", {"run": 1, "do": True}).json()["run"])
    match by:
        case "page":
            assert "left in the CRM as syncd wrote" in look(written, f"/stop?run={run}").text
            assert "was stopped" in submit(written, f"/stop?run={run}", "/stop").text
        case "api":
            assert post(written, "/api/stop", {"run": run}).json() == {"run": run, "left": 1}
        case _:
            assert command(written, "undo", "--stop", str(run)) == {"run": run, "left": 1}
    assert written.undoing() == 0
    assert written.held("501") == MAIL
    assert "stopped by" in look(written, f"/runs/{run}").text
    assert browse(written, lambda client: client.get(f"/stop?run={run}")).status_code == 404
    written.plan()
    written.verify()
    assert written.job("501") == ("done", "written")


def test_what_is_being_put_back_at_this_moment_is_not_stopped(written: Harness) -> None:
    run = int(post(written, "/api/undo", {"run": 1, "do": True}).json()["run"])
    [(contact,)] = written.sql("SELECT contact_id FROM undo")

    async def hold() -> int:
        async with work.hold(written.parts, Kind.RECORD, [contact]):
            return await written.ledger.write(undos.stop, run, "maria", now=written.clock.now())
        raise AssertionError("the claim was lost")

    assert written.run(hold()) == 0
    assert post(written, "/api/stop", {"run": run}).json()["left"] == 1  # once nobody holds it


@pytest.mark.parametrize(
    "path",
    [
        "/suppress?value=", "/suppress?value=nobody", "/unsuppress?value=x", "/forget?who=nobody",
        "/export?who=x@y.test", "/enrich?contact=other/contacts/1", "/enrich?contact=x", "/stop?run=x", "/stop?run=1",
    ],
)  # fmt: skip
def test_what_can_not_be_done_is_said(written: Harness, path: str) -> None:
    reply = browse(written, lambda client: client.get(path))
    assert reply.status_code in {400, 404}, reply.text
    assert "That did not work" in reply.text


def test_c7_a_sync_is_pulled_and_calls_in_doubt_are_settled_by_forms_alone(build: Build) -> None:
    harness = in_doubt(build)
    with structlog.testing.capture_logs() as lines:
        assert "is being pulled" in submit(harness, "/pull?name=people", "/pull").text
        page = submit(harness, "/doubts/not-sent?all=1&provider=ann", "/doubts/not-sent")
    assert "1 call: never arrived." in page.text
    assert noted(lines) == ["pull", "in-doubt resolve"]
    assert harness.sql("SELECT count(*) FROM submission WHERE state = 'in_doubt'") == [(0,)]
