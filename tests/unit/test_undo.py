"""Undo: what we wrote is put back where it is still ours; no later edit of anybody is touched, whatever fails."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Sequence
from typing import Any

import pytest
from typer.testing import CliRunner

from syncd.cli import app
from syncd.cli.undo import wait_for
from syncd.contract.errors import Retry, SyncdError
from syncd.contract.model import Author, Change, Selection, WriteOutcome, WriteStatus
from syncd.ledger import cases, reports, retries, undos, upkeep
from syncd.ledger.store import Ledger, Tx
from syncd.ledger.writes import LANDS
from syncd.pipeline.undoing import RETRY_IN
from tests.contract.fake_crm import FakeCrm
from tests.places import place_of

from .callers import at_the_desk
from .conftest import Build
from .harness import EMAIL, PHONE, Harness
from .test_cli_review import CONFIG

MAIL, LATER = "ada@acme.example.com", "ada.test@acme.example.com"


class Watched(FakeCrm):
    """`reread` runs after each write; `says` replaces what the next one comes to, without carrying it out."""

    def __init__(self, *, conditional: bool = False, history: bool = True) -> None:
        super().__init__("crm", conditional=conditional, history=history)
        self.after: Callable[[], object] = lambda: None
        self.says: list[WriteStatus] = []
        self.changes: list[Change] = []

    async def write(self, changes: Sequence[Change], selection: Selection) -> list[WriteOutcome]:
        self.changes += changes
        if self.says:
            status = self.says.pop(0)
            return [WriteOutcome(ref=c.ref, field=c.field, status=status, detail="because") for c in changes]
        outcomes = await super().write(changes, selection)
        self.after()
        return outcomes


def written(build: Build, *, conditional: bool = False, history: bool = True) -> tuple[Harness, Watched, str]:
    """A harness in which we have written an e-mail."""
    crm = Watched(conditional=conditional, history=history)
    harness = build(crm=crm, fields={EMAIL: ["ann"]})
    ada = harness.person()
    harness.finds(ada, EMAIL, MAIL)
    harness.ask()
    harness.answer_all()
    harness.finish()
    assert (harness.held(ada), harness.reason(ada)) == (MAIL, "written")
    return harness, crm, ada


def counts(harness: Harness, run: int) -> dict[str, int]:
    return dict(harness.run(harness.ledger.read(undos.counts, run)))


KINDS = pytest.mark.parametrize(
    ("conditional", "history"),
    [(False, True), (True, False), (False, False)],
    ids=["history", "conditional", "neither"],
)


@KINDS
def test_what_we_wrote_is_blank_again_and_stays_so(build: Build, conditional: bool, history: bool) -> None:
    harness, _, ada = written(build, conditional=conditional, history=history)
    run = harness.undo(run=1)
    assert harness.held(ada) == MAIL, "the command only says what is to be put back"
    assert harness.undoing() == 1
    assert (harness.held(ada), harness.reason(ada), counts(harness, run)) == ("", "undone", {"undone": 1})
    for _ in range(3):
        harness.clock.time += 86_400
        harness.ask()
        harness.answer_all()
        harness.finish()
    assert (harness.held(ada), harness.reason(ada)) == ("", "undone")
    assert len(harness.fake.submitted) == 1, "nothing was bought again"
    [line] = [one for one in harness.run(harness.ledger.read(reports.runs)) if one["kind"] == "undo"]
    assert (line["undone"], line["open"], line["ended_at"] is not None) == (1, 0, True)


@KINDS
def test_retry_writes_it_again_for_nothing(build: Build, conditional: bool, history: bool) -> None:
    harness, _, ada = written(build, conditional=conditional, history=history)
    harness.undo(run=1)
    harness.undoing()
    harness.clock.time += 60
    harness.pull()
    [(job,)] = harness.sql("SELECT id FROM job")
    harness.run(harness.ledger.write(retries.retry, [job], now=harness.clock.now()))
    harness.plan()
    harness.finish()
    assert (harness.held(ada), harness.reason(ada)) == (MAIL, "written")
    assert len(harness.fake.submitted) == 1
    run = harness.undo(sync="people")
    harness.undoing()
    assert (harness.held(ada), counts(harness, run)) == ("", {"undone": 1}), "and can be put back again"


@KINDS
def test_a_later_edit_stays(build: Build, conditional: bool, history: bool) -> None:
    harness, crm, ada = written(build, conditional=conditional, history=history)
    crm.edit(ada, "email", "ada@home.example.com")
    run = harness.undo(run=1)
    harness.undoing()
    assert (harness.held(ada), counts(harness, run)) == ("ada@home.example.com", {"kept": 1})
    assert harness.run(harness.ledger.read(undos.left, run)) == {"somebody has changed it since": 1}
    assert harness.reason(ada) != "undone"


def test_who_has_written_the_same_again_has_confirmed_it(build: Build) -> None:
    harness, crm, ada = written(build)
    crm.edit(ada, "email", MAIL)
    run = harness.undo(run=1)
    harness.undoing()
    assert (harness.held(ada), counts(harness, run)) == (MAIL, {"kept": 1})


def test_a_program_that_writes_the_same_again_changes_nothing(build: Build) -> None:
    harness, crm, ada = written(build)
    crm.edit(ada, "email", MAIL, by=Author.MACHINE)
    harness.undo(run=1)
    harness.undoing()
    assert harness.held(ada) == ""


def test_where_our_writes_are_booked_as_a_persons_ours_is_known_by_its_place(build: Build) -> None:
    crm = Watched()
    crm.books_as = Author.PERSON
    harness = build(crm=crm, fields={EMAIL: ["ann"]})
    ada = harness.person()
    harness.finds(ada, EMAIL, MAIL)
    harness.ask()
    harness.answer_all()
    harness.finish()
    run = harness.undo(run=1)
    harness.undoing()
    assert (harness.held(ada), counts(harness, run)) == ("", {"undone": 1})


@pytest.mark.parametrize("theirs", ["ada@home.example.com", MAIL])
def test_an_edit_between_read_and_write_comes_back(build: Build, theirs: str) -> None:
    harness, crm, ada = written(build)
    run = harness.undo(run=1)
    crm.between_read_and_write = lambda: crm.edit(ada, "email", theirs)
    harness.undoing()
    assert (harness.held(ada), counts(harness, run)) == (theirs, {"kept": 1})


def test_an_edit_while_theirs_comes_back_comes_back_too(build: Build) -> None:
    harness, crm, ada = written(build)
    run = harness.undo(run=1)

    def clears() -> None:
        crm.edit(ada, "email", "ada@office.example.com")
        crm.edit(ada, "email", "")

    def types() -> None:
        crm.edit(ada, "email", "ada@home.example.com")
        crm.between_read_and_write = clears

    crm.between_read_and_write = types
    for _ in range(3):
        harness.undoing()
        harness.clock.time += LANDS + 1
    assert (harness.held(ada), counts(harness, run)) == ("", {"kept": 1})


def test_an_edit_right_after_the_write_stays(build: Build) -> None:
    harness, crm, ada = written(build)
    run = harness.undo(run=1)
    crm.after = lambda: crm.edit(ada, "email", "ada@home.example.com")
    harness.undoing()
    assert (harness.held(ada), counts(harness, run)) == ("ada@home.example.com", {"kept": 1})


def test_a_conditional_write_that_was_overtaken_is_decided_on_again(build: Build) -> None:
    harness, crm, ada = written(build, conditional=True, history=False)
    run = harness.undo(run=1)
    crm.between_read_and_write = lambda: crm.edit(ada, "email", "ada@home.example.com")
    harness.undoing()
    assert counts(harness, run) == {"asked": 1}
    harness.undoing()
    assert (harness.held(ada), counts(harness, run)) == ("ada@home.example.com", {"kept": 1})


@KINDS
def test_a_lost_answer_is_looked_at_once_it_must_have_landed(build: Build, conditional: bool, history: bool) -> None:
    harness, crm, ada = written(build, conditional=conditional, history=history)
    run = harness.undo(run=1)
    crm.lose_answers = 1
    harness.undoing()
    assert counts(harness, run) == {"intent": 1}
    assert harness.undoing() == 0, "not yet"
    harness.clock.time += LANDS + 1
    assert harness.undoing() == 1
    assert (harness.held(ada), counts(harness, run)) == ("", {"undone": 1})


@KINDS
def test_what_was_not_carried_out_is_done_again(build: Build, conditional: bool, history: bool) -> None:
    harness, crm, ada = written(build, conditional=conditional, history=history)
    run = harness.undo(run=1)
    crm.says = [WriteStatus.UNKNOWN, WriteStatus.RETRY]
    harness.undoing()
    harness.clock.time += LANDS + 1
    harness.undoing()
    assert counts(harness, run) == {"asked": 1}
    harness.clock.time += RETRY_IN + 1
    harness.undoing()
    assert (harness.held(ada), counts(harness, run)) == ("", {"undone": 1})


def test_after_a_lost_answer_a_persons_clearing_and_filling_stays(build: Build) -> None:
    harness, crm, ada = written(build)
    run = harness.undo(run=1)
    crm.lose_answers = 1
    harness.undoing()
    crm.edit(ada, "email", "ada@home.example.com")
    harness.clock.time += LANDS + 1
    harness.undoing()
    assert (harness.held(ada), counts(harness, run)) == ("ada@home.example.com", {"kept": 1})


def test_without_a_history_a_record_that_changed_since_a_lost_answer_is_left(build: Build) -> None:
    harness, crm, ada = written(build, conditional=True, history=False)
    run = harness.undo(run=1)
    crm.says = [WriteStatus.UNKNOWN]
    harness.undoing()
    crm.edit(ada, "team", "north")
    harness.clock.time += LANDS + 1
    harness.undoing()
    assert (harness.held(ada), counts(harness, run)) == (MAIL, {"kept": 1})
    harness.undo(run=1)
    harness.undoing()
    assert harness.held(ada) == "", "asked once more, it is put back"


@pytest.mark.parametrize("at", ["before the write", "after the write"])
@KINDS
def test_a_crash_in_the_middle_goes_on_at_the_next_start(
    build: Build, conditional: bool, history: bool, at: str
) -> None:
    harness, crm, ada = written(build, conditional=conditional, history=history)
    run = harness.undo(run=1)

    class Died(Exception):
        pass

    async def dying(changes: Sequence[Change], selection: Selection) -> list[WriteOutcome]:
        if at == "after the write":
            await Watched.write(crm, changes, selection)
        raise Died

    crm.write = dying  # type: ignore[method-assign]
    with pytest.raises(Died):
        harness.undoing()
    del crm.write
    harness.reopen()
    harness.recover()
    assert (counts(harness, run), harness.undoing()) == ({"intent": 1}, 0)
    harness.clock.time += LANDS + 1
    harness.undoing()
    assert (harness.held(ada), counts(harness, run)) == ("", {"undone": 1})


def test_a_refusal_is_told_in_the_crms_words(build: Build) -> None:
    harness, crm, ada = written(build)
    run = harness.undo(run=1)
    crm.says = [WriteStatus.REFUSED]
    harness.undoing()
    assert (harness.held(ada), counts(harness, run)) == (MAIL, {"refused": 1})
    assert harness.run(harness.ledger.read(undos.left, run)) == {"because": 1}


def test_an_outage_waits(build: Build) -> None:
    harness, crm, ada = written(build)
    run = harness.undo(run=1)
    crm.fail("read", Retry("the CRM is down"))
    assert (harness.undoing(), counts(harness, run)) == (0, {"asked": 1})
    assert harness.undoing() == 1
    assert harness.held(ada) == ""


def test_a_contact_that_is_gone_or_merged_is_left(build: Build) -> None:
    harness, crm, ada = written(build)
    bo = harness.person("Bo")
    run = harness.undo(run=1)
    crm.merge(ada, bo)
    harness.undoing()
    assert counts(harness, run) == {"kept": 1}
    crm.records[ada].now = None
    crm.remove(ada)
    run = harness.undo(run=1)
    harness.undoing()
    assert counts(harness, run) == {"gone": 1}


def test_nothing_is_written_to_a_record_with_an_open_undo(build: Build) -> None:
    """Where no history is told, our own change would hide whether it arrived."""
    crm = Watched(history=False)
    harness = build(crm=crm, fields={EMAIL: ["ann"], PHONE: ["ann"]})
    ada = harness.person()
    harness.finds(ada, EMAIL, MAIL)
    harness.ask()
    harness.answer_all()
    harness.finish()
    run = harness.undo(run=1)
    crm.says = [WriteStatus.UNKNOWN]
    harness.undoing()
    harness.finds(ada, PHONE, "+33639980123")
    harness.sweep()
    harness.ask()
    harness.clock.time += 1
    [(job,)] = harness.sql("SELECT id FROM job WHERE field = 'phone'")
    harness.run(harness.ledger.write(retries.retry, [job], now=harness.clock.now()))
    harness.plan()
    harness.dispatch()
    harness.answer_all()
    harness.verify()
    harness.clock.time += 60
    harness.writeback()
    assert (harness.held(ada, "phone"), harness.state(ada, PHONE)) == ("", "accepted")
    harness.clock.time += LANDS
    harness.undoing()
    harness.writeback()
    assert (harness.held(ada), harness.held(ada, "phone"), counts(harness, run)) == ("", "+33639980123", {"undone": 1})


def test_filters_combine(build: Build) -> None:
    harness, _, ada = written(build)
    harness.clock.time += 3600
    between = harness.clock.now()
    bo = harness.person("Bo")
    harness.finds(bo, EMAIL, "bo@acme.example.com")
    harness.ask()
    harness.answer_all()
    harness.finish()

    def found(**wanted: Any) -> list[str]:
        values = harness.run(harness.ledger.read(undos.find, undos.Wanted(**wanted)))
        return [one.ref.id for one in values]

    assert found(sync="people") == [ada, bo]
    assert found(sync="people", since=between) == [bo]
    assert found(until=between) == [ada]
    assert found(run=2) == [bo]
    assert found(run=1, since=between) == []
    assert found(contact=harness.ref(ada)) == [ada]
    assert found(contact=harness.ref(ada), run=2) == []
    assert found(contact=harness.ref(ada), since=between) == found(contact=harness.ref(bo), until=between) == []
    assert found(contact=harness.ref(ada), sync="others") == []
    assert found(contact=harness.ref("999")) == []
    assert found(sync="others") == []
    harness.undo(run=2)
    assert found(sync="people") == [ada], "what waits to be put back already is left out"


def overwritten(build: Build) -> tuple[Harness, str]:
    """A harness in which another value of ours was written over the first one, in a later run."""
    harness, crm, ada = written(build)
    crm.edit(ada, "email", LATER, by=Author.MACHINE)
    harness.pull()

    def again(tx: Tx) -> None:
        [(run, job)] = [(row["run_id"], row["job_id"]) for row in tx.rows("writes_of_job", job_id=1)]
        row = [[job, MAIL, LATER, "000000000003", "email", "fill_blank", "", ""]]
        tx.run("writes_make", rows=json.dumps(row), now=harness.clock.now())
        tx.run("writes_close", rows=json.dumps([[job, "written", ""]]), now=harness.clock.now())
        assert run == 1

    harness.run(harness.ledger.write(again))
    return harness, ada


def test_values_that_were_written_over_each_other_go_back_together(build: Build) -> None:
    harness, ada = overwritten(build)
    run = harness.undo(sync="people")
    harness.undoing()
    assert (harness.held(ada), counts(harness, run)) == ("", {"undone": 1})
    assert harness.sql("SELECT state FROM undo") == [("undone",), ("undone",)]


def test_the_later_one_alone_goes_back_to_the_earlier_one(build: Build) -> None:
    harness, ada = overwritten(build)
    harness.undo(run=2)
    harness.undoing()
    assert (harness.held(ada), harness.reason(ada)) == (MAIL, "undone")


def test_the_earlier_one_alone_is_left(build: Build) -> None:
    harness, ada = overwritten(build)
    [value] = harness.run(harness.ledger.read(undos.find, undos.Wanted(run=1)))
    assert value.why_not == "a later value of ours stands there"
    harness.undo(run=1)
    harness.undoing()
    assert harness.held(ada) == LATER


def test_a_mailbox_that_was_put_back_is_told_to_nobody(build: Build) -> None:
    harness = build(fields={EMAIL: ["ann"], PHONE: ["ann"]})
    ada = harness.person()
    harness.finds(ada, EMAIL, MAIL)
    harness.ask()
    harness.answer_all()
    harness.finish()

    def known(tx: Tx) -> set[str | None]:
        found = cases.read(tx, [1], harness.parts.rules)
        return {case.identity.email for case in found.cases if case.field is PHONE}

    assert harness.run(harness.ledger.read(known)) == {MAIL}
    harness.undo(run=1)
    harness.undoing()
    assert harness.run(harness.ledger.read(known)) == {None}


# --- the command ----------------------------------------------------------------------------------


def command(harness: Harness, *arguments: str) -> str:
    file = harness.path.parent / "config.yaml"
    file.write_text(CONFIG.format(path=json.dumps(str(harness.path)), secret="x" * 40), encoding="utf-8")
    done = CliRunner().invoke(app, ["undo", *arguments, "-c", str(file)])
    assert done.exit_code == 0, (done.output, done.exception)
    return done.output


def test_the_command_shows_first_and_does_nothing(build: Build) -> None:
    harness, _, ada = written(build)
    shown = json.loads(command(harness, "--run", "1", "--offline", "--json"))
    assert (shown["put_back"], shown["left"], shown["done"], shown["run"]) == (1, 0, False, None)
    [value] = shown["values"]
    assert value["contact"] == f"crm/contacts/{ada}"
    assert (value["ours"], value["back"], value["provider"]) == ("a…@acme.example.com", "", "ann")
    said = command(harness, "--contact", f"crm/contacts/{ada}", "--offline", "--unmasked")
    assert "1 value would be put back, 0 left: add --yes to do it." in said
    assert MAIL in said
    assert harness.sql("SELECT count(*) FROM undo") == [(0,)]
    assert "Nothing that syncd has written fits." in command(harness, "--run", "7", "--offline")


def test_the_command_waits_for_the_daemon(build: Build) -> None:
    harness, crm, ada = written(build)
    crm.edit(ada, "email", "ada@home.example.com")
    said: list[str] = []
    waits = threading.Thread(target=lambda: said.append(command(harness, "--sync", "people", "--yes", "--wait")))
    waits.start()
    while not harness.sql("SELECT 1 FROM undo"):
        time.sleep(0.01)
    harness.undoing()
    waits.join()
    assert "Run 2: 1 value to be put back, by the running daemon, or else by" in said[0]
    assert "Put back: 0 values. Left as they are: 1." in said[0]
    assert "somebody has changed it since" in said[0]
    [(note,)] = harness.sql("SELECT note FROM run WHERE kind = 'undo'")
    assert note.startswith("sync people, by ")


def test_the_command_does_not_wait_for_a_daemon_that_does_not_run(build: Build) -> None:
    harness, _, _ = written(build)
    command(harness, "--sync", "people", "--yes")
    Ledger.change(place_of(harness.path), upkeep.set_mark, upkeep.LOOKED_AT, time.time() - 100)
    with pytest.raises(
        SyncdError, match=r"no daemon runs; still .* by run 2: 1 value\..* kept: .* run: syncd run --once"
    ):
        wait_for(harness.path, 2, time.time, 0.2)
    waits = threading.Thread(target=lambda: wait_for(harness.path, 2, time.time, 0.2))
    Ledger.change(
        place_of(harness.path), upkeep.set_mark, upkeep.LOOKED_AT, time.time() + 100
    )  # it gives signs of life
    waits.start()
    waits.join(1.0)
    assert waits.is_alive()
    harness.undoing()
    waits.join(10)
    assert not waits.is_alive()


def test_the_command_wants_to_know_what(build: Build) -> None:
    harness, _, _ = written(build)
    done = CliRunner().invoke(app, ["undo", "-c", str(harness.path)])
    assert done.exit_code == 2
    assert "say what: --run, --sync, --contact, --since, --until" in done.output


# --- the private API ------------------------------------------------------------------------------


def api(harness: Harness, method: str, path: str, **given: Any) -> tuple[int, Any]:
    body = json.dumps(given).encode() if method == "POST" else b""
    headers = {"content-type": "application/json"} if method == "POST" else {}
    reply = at_the_desk(harness, lambda line: line.call(method, path, body, **headers))
    return reply.status, json.loads(reply.body)


def test_the_private_api_shows_runs_and_takes_values_back(build: Build) -> None:
    harness, _, ada = written(build)
    status, shown = api(harness, "POST", "/api/undo", run=1)
    assert (status, shown["put_back"], shown["done"], shown["values"][0]["ours"]) == (200, 1, False, MAIL)
    assert harness.sql("SELECT count(*) FROM undo") == [(0,)]
    assert api(harness, "POST", "/api/undo", run=1, do=True)[1]["run"] == 2
    harness.undoing()
    assert harness.held(ada) == ""
    undo, pull = api(harness, "GET", "/api/runs")[1]
    assert (undo["kind"], undo["undone"], undo["note"]) == ("undo", 1, "run 1, by the private API")
    assert (pull["kind"], pull["written"]) == ("pull", 1)
    told = api(harness, "GET", f"/api/contacts/crm/contacts/{ada}")[1]
    [write] = told["jobs"][0]["writes"]
    assert (write["cost"], write["undo"]["state"]) == (1.0, "undone")
    assert api(harness, "GET", "/api/contacts/crm/contacts/999")[0] == 404


@pytest.mark.parametrize(
    "given", [{}, {"do": True}, {"runn": 1}, {"run": "1"}, {"contact": "501"}, {"since": "soon"}], ids=str
)
def test_the_private_api_wants_to_know_what(build: Build, given: dict[str, Any]) -> None:
    harness, _, _ = written(build)
    assert api(harness, "POST", "/api/undo", **given)[0] == 400
    assert harness.sql("SELECT count(*) FROM undo") == [(0,)]
