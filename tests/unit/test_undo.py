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
from syncd.contract.errors import Retry
from syncd.contract.model import Author, Change, Selection, WriteOutcome, WriteStatus
from syncd.ledger import cases, reports, retries, undos
from syncd.ledger.store import Tx
from syncd.ledger.writes import LANDS
from syncd.pipeline.undoing import RETRY_IN
from tests.contract.fake_crm import FakeCrm

from .callers import at_the_desk
from .conftest import Build
from .house import EMAIL, PHONE, House
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


def written(build: Build, *, conditional: bool = False, history: bool = True) -> tuple[House, Watched, str]:
    """A house in which we have written an e-mail."""
    crm = Watched(conditional=conditional, history=history)
    house = build(crm=crm, fields={EMAIL: ["ann"]})
    ada = house.person()
    house.finds(ada, EMAIL, MAIL)
    house.ask()
    house.answer_all()
    house.finish()
    assert (house.held(ada), house.reason(ada)) == (MAIL, "written")
    return house, crm, ada


def counts(house: House, run: int) -> dict[str, int]:
    return dict(house.run(house.ledger.read(undos.counts, run)))


KINDS = pytest.mark.parametrize(
    ("conditional", "history"),
    [(False, True), (True, False), (False, False)],
    ids=["history", "conditional", "neither"],
)


@KINDS
def test_what_we_wrote_is_blank_again_and_stays_so(build: Build, conditional: bool, history: bool) -> None:
    house, _, ada = written(build, conditional=conditional, history=history)
    run = house.undo(run=1)
    assert house.held(ada) == MAIL, "the command only says what is to be put back"
    assert house.undoing() == 1
    assert (house.held(ada), house.reason(ada), counts(house, run)) == ("", "undone", {"undone": 1})
    for _ in range(3):
        house.clock.time += 86_400
        house.ask()
        house.answer_all()
        house.finish()
    assert (house.held(ada), house.reason(ada)) == ("", "undone")
    assert len(house.fake.submitted) == 1, "nothing was bought again"
    [line] = [one for one in house.run(house.ledger.read(reports.runs)) if one["kind"] == "undo"]
    assert (line["undone"], line["open"], line["ended_at"] is not None) == (1, 0, True)


@KINDS
def test_retry_writes_it_again_for_nothing(build: Build, conditional: bool, history: bool) -> None:
    house, _, ada = written(build, conditional=conditional, history=history)
    house.undo(run=1)
    house.undoing()
    house.clock.time += 60
    house.pull()
    [(job,)] = house.sql("SELECT id FROM job")
    house.run(house.ledger.write(retries.retry, [job], now=house.clock.now()))
    house.plan()
    house.finish()
    assert (house.held(ada), house.reason(ada)) == (MAIL, "written")
    assert len(house.fake.submitted) == 1
    run = house.undo(sync="people")
    house.undoing()
    assert (house.held(ada), counts(house, run)) == ("", {"undone": 1}), "and can be put back again"


@KINDS
def test_a_later_edit_stays(build: Build, conditional: bool, history: bool) -> None:
    house, crm, ada = written(build, conditional=conditional, history=history)
    crm.edit(ada, "email", "ada@home.example.com")
    run = house.undo(run=1)
    house.undoing()
    assert (house.held(ada), counts(house, run)) == ("ada@home.example.com", {"kept": 1})
    assert house.run(house.ledger.read(undos.left, run)) == {"somebody has changed it since": 1}
    assert house.reason(ada) != "undone"


def test_who_has_written_the_same_again_has_confirmed_it(build: Build) -> None:
    house, crm, ada = written(build)
    crm.edit(ada, "email", MAIL)
    run = house.undo(run=1)
    house.undoing()
    assert (house.held(ada), counts(house, run)) == (MAIL, {"kept": 1})


def test_a_program_that_writes_the_same_again_changes_nothing(build: Build) -> None:
    house, crm, ada = written(build)
    crm.edit(ada, "email", MAIL, by=Author.MACHINE)
    house.undo(run=1)
    house.undoing()
    assert house.held(ada) == ""


def test_where_our_writes_are_booked_as_a_persons_ours_is_known_by_its_place(build: Build) -> None:
    crm = Watched()
    crm.books_as = Author.PERSON
    house = build(crm=crm, fields={EMAIL: ["ann"]})
    ada = house.person()
    house.finds(ada, EMAIL, MAIL)
    house.ask()
    house.answer_all()
    house.finish()
    run = house.undo(run=1)
    house.undoing()
    assert (house.held(ada), counts(house, run)) == ("", {"undone": 1})


@pytest.mark.parametrize("theirs", ["ada@home.example.com", MAIL])
def test_an_edit_between_read_and_write_comes_back(build: Build, theirs: str) -> None:
    house, crm, ada = written(build)
    run = house.undo(run=1)
    crm.between_read_and_write = lambda: crm.edit(ada, "email", theirs)
    house.undoing()
    assert (house.held(ada), counts(house, run)) == (theirs, {"kept": 1})


def test_an_edit_right_after_the_write_stays(build: Build) -> None:
    house, crm, ada = written(build)
    run = house.undo(run=1)
    crm.after = lambda: crm.edit(ada, "email", "ada@home.example.com")
    house.undoing()
    assert (house.held(ada), counts(house, run)) == ("ada@home.example.com", {"kept": 1})


def test_a_conditional_write_that_was_overtaken_is_decided_on_again(build: Build) -> None:
    house, crm, ada = written(build, conditional=True, history=False)
    run = house.undo(run=1)
    crm.between_read_and_write = lambda: crm.edit(ada, "email", "ada@home.example.com")
    house.undoing()
    assert counts(house, run) == {"asked": 1}
    house.undoing()
    assert (house.held(ada), counts(house, run)) == ("ada@home.example.com", {"kept": 1})


@KINDS
def test_a_lost_answer_is_looked_at_once_it_must_have_landed(build: Build, conditional: bool, history: bool) -> None:
    house, crm, ada = written(build, conditional=conditional, history=history)
    run = house.undo(run=1)
    crm.lose_answers = 1
    house.undoing()
    assert counts(house, run) == {"intent": 1}
    assert house.undoing() == 0, "not yet"
    house.clock.time += LANDS + 1
    assert house.undoing() == 1
    assert (house.held(ada), counts(house, run)) == ("", {"undone": 1})


@KINDS
def test_what_was_not_carried_out_is_done_again(build: Build, conditional: bool, history: bool) -> None:
    house, crm, ada = written(build, conditional=conditional, history=history)
    run = house.undo(run=1)
    crm.says = [WriteStatus.UNKNOWN, WriteStatus.RETRY]
    house.undoing()
    house.clock.time += LANDS + 1
    house.undoing()
    assert counts(house, run) == {"asked": 1}
    house.clock.time += RETRY_IN + 1
    house.undoing()
    assert (house.held(ada), counts(house, run)) == ("", {"undone": 1})


def test_after_a_lost_answer_a_persons_clearing_and_filling_stays(build: Build) -> None:
    house, crm, ada = written(build)
    run = house.undo(run=1)
    crm.lose_answers = 1
    house.undoing()
    crm.edit(ada, "email", "ada@home.example.com")
    house.clock.time += LANDS + 1
    house.undoing()
    assert (house.held(ada), counts(house, run)) == ("ada@home.example.com", {"kept": 1})


def test_without_a_history_a_record_that_changed_since_a_lost_answer_is_left(build: Build) -> None:
    house, crm, ada = written(build, conditional=True, history=False)
    run = house.undo(run=1)
    crm.says = [WriteStatus.UNKNOWN]
    house.undoing()
    crm.edit(ada, "team", "north")
    house.clock.time += LANDS + 1
    house.undoing()
    assert (house.held(ada), counts(house, run)) == (MAIL, {"kept": 1})
    house.undo(run=1)
    house.undoing()
    assert house.held(ada) == "", "asked once more, it is put back"


@pytest.mark.parametrize("at", ["before the write", "after the write"])
@KINDS
def test_a_crash_in_the_middle_goes_on_at_the_next_start(
    build: Build, conditional: bool, history: bool, at: str
) -> None:
    house, crm, ada = written(build, conditional=conditional, history=history)
    run = house.undo(run=1)

    class Died(Exception):
        pass

    async def dying(changes: Sequence[Change], selection: Selection) -> list[WriteOutcome]:
        if at == "after the write":
            await Watched.write(crm, changes, selection)
        raise Died

    crm.write = dying  # type: ignore[method-assign]
    with pytest.raises(Died):
        house.undoing()
    del crm.write
    house.reopen()
    house.recover()
    assert (counts(house, run), house.undoing()) == ({"intent": 1}, 0)
    house.clock.time += LANDS + 1
    house.undoing()
    assert (house.held(ada), counts(house, run)) == ("", {"undone": 1})


def test_a_refusal_is_told_in_the_crms_words(build: Build) -> None:
    house, crm, ada = written(build)
    run = house.undo(run=1)
    crm.says = [WriteStatus.REFUSED]
    house.undoing()
    assert (house.held(ada), counts(house, run)) == (MAIL, {"refused": 1})
    assert house.run(house.ledger.read(undos.left, run)) == {"because": 1}


def test_an_outage_waits(build: Build) -> None:
    house, crm, ada = written(build)
    run = house.undo(run=1)
    crm.fail("read", Retry("the CRM is down"))
    assert (house.undoing(), counts(house, run)) == (0, {"asked": 1})
    assert house.undoing() == 1
    assert house.held(ada) == ""


def test_a_contact_that_is_gone_or_merged_is_left(build: Build) -> None:
    house, crm, ada = written(build)
    bo = house.person("Bo")
    run = house.undo(run=1)
    crm.merge(ada, bo)
    house.undoing()
    assert counts(house, run) == {"kept": 1}
    crm.records[ada].now = None
    crm.remove(ada)
    run = house.undo(run=1)
    house.undoing()
    assert counts(house, run) == {"gone": 1}


def test_nothing_is_written_to_a_record_with_an_open_undo(build: Build) -> None:
    """Where no history is told, our own change would hide whether it arrived."""
    crm = Watched(history=False)
    house = build(crm=crm, fields={EMAIL: ["ann"], PHONE: ["ann"]})
    ada = house.person()
    house.finds(ada, EMAIL, MAIL)
    house.ask()
    house.answer_all()
    house.finish()
    run = house.undo(run=1)
    crm.says = [WriteStatus.UNKNOWN]
    house.undoing()
    house.finds(ada, PHONE, "+33639980123")
    house.sweep()
    house.ask()
    house.clock.time += 1
    [(job,)] = house.sql("SELECT id FROM job WHERE field = 'phone'")
    house.run(house.ledger.write(retries.retry, [job], now=house.clock.now()))
    house.plan()
    house.dispatch()
    house.answer_all()
    house.verify()
    house.clock.time += 60
    house.writeback()
    assert (house.held(ada, "phone"), house.state(ada, PHONE)) == ("", "accepted")
    house.clock.time += LANDS
    house.undoing()
    house.writeback()
    assert (house.held(ada), house.held(ada, "phone"), counts(house, run)) == ("", "+33639980123", {"undone": 1})


def test_filters_combine(build: Build) -> None:
    house, _, ada = written(build)
    house.clock.time += 3600
    between = house.clock.now()
    bo = house.person("Bo")
    house.finds(bo, EMAIL, "bo@acme.example.com")
    house.ask()
    house.answer_all()
    house.finish()

    def found(**wanted: Any) -> list[str]:
        values = house.run(house.ledger.read(undos.find, undos.Wanted(**wanted)))
        return [one.ref.id for one in values]

    assert found(sync="people") == [ada, bo]
    assert found(sync="people", since=between) == [bo]
    assert found(until=between) == [ada]
    assert found(run=2) == [bo]
    assert found(run=1, since=between) == []
    assert found(contact=house.ref(ada)) == [ada]
    assert found(contact=house.ref(ada), run=2) == []
    assert found(contact=house.ref("999")) == []
    assert found(sync="others") == []
    house.undo(run=2)
    assert found(sync="people") == [ada], "what waits to be put back already is left out"


def overwritten(build: Build) -> tuple[House, str]:
    """A house in which another value of ours was written over the first one, in a later run."""
    house, crm, ada = written(build)
    crm.edit(ada, "email", LATER, by=Author.MACHINE)
    house.pull()

    def again(tx: Tx) -> None:
        [(run, job)] = [(row["run_id"], row["job_id"]) for row in tx.rows("writes_of_job", job_id=1)]
        row = [[job, MAIL, LATER, "000000000003", "email"]]
        tx.run("writes_make", rows=json.dumps(row), now=house.clock.now())
        tx.run("writes_close", rows=json.dumps([[job, "written", ""]]), now=house.clock.now())
        assert run == 1

    house.run(house.ledger.write(again))
    return house, ada


def test_values_that_were_written_over_each_other_go_back_together(build: Build) -> None:
    house, ada = overwritten(build)
    run = house.undo(sync="people")
    house.undoing()
    assert (house.held(ada), counts(house, run)) == ("", {"undone": 1})
    assert house.sql("SELECT state FROM undo") == [("undone",), ("undone",)]


def test_the_later_one_alone_goes_back_to_the_earlier_one(build: Build) -> None:
    house, ada = overwritten(build)
    house.undo(run=2)
    house.undoing()
    assert (house.held(ada), house.reason(ada)) == (MAIL, "undone")


def test_the_earlier_one_alone_is_left(build: Build) -> None:
    house, ada = overwritten(build)
    [value] = house.run(house.ledger.read(undos.find, undos.Wanted(run=1)))
    assert value.why_not == "a later value of ours stands there"
    house.undo(run=1)
    house.undoing()
    assert house.held(ada) == LATER


def test_a_mailbox_that_was_put_back_is_told_to_nobody(build: Build) -> None:
    house = build(fields={EMAIL: ["ann"], PHONE: ["ann"]})
    ada = house.person()
    house.finds(ada, EMAIL, MAIL)
    house.ask()
    house.answer_all()
    house.finish()

    def known(tx: Tx) -> set[str | None]:
        found = cases.read(tx, [1], house.parts.rules)
        return {case.identity.email for case in found.cases if case.field is PHONE}

    assert house.run(house.ledger.read(known)) == {MAIL}
    house.undo(run=1)
    house.undoing()
    assert house.run(house.ledger.read(known)) == {None}


# --- the command ----------------------------------------------------------------------------------


def command(house: House, *arguments: str) -> str:
    file = house.path.parent / "config.yaml"
    file.write_text(CONFIG.format(path=json.dumps(str(house.path)), secret="x" * 40), encoding="utf-8")
    done = CliRunner().invoke(app, ["undo", *arguments, "-c", str(file)])
    assert done.exit_code == 0, (done.output, done.exception)
    return done.output


def test_the_command_shows_first_and_does_nothing(build: Build) -> None:
    house, _, ada = written(build)
    shown = json.loads(command(house, "--run", "1", "--offline", "--json"))
    assert (shown["put_back"], shown["left"], shown["done"], shown["run"]) == (1, 0, False, None)
    [value] = shown["values"]
    assert value["contact"] == f"crm/contacts/{ada}"
    assert (value["ours"], value["back"], value["provider"]) == ("a…@acme.example.com", "", "ann")
    said = command(house, "--contact", f"crm/contacts/{ada}", "--offline", "--unmasked")
    assert "1 value would be put back, 0 left: add --yes to do it." in said
    assert MAIL in said
    assert house.sql("SELECT count(*) FROM undo") == [(0,)]
    assert "Nothing that syncd has written fits." in command(house, "--run", "7", "--offline")


def test_the_command_waits_for_the_daemon(build: Build) -> None:
    house, crm, ada = written(build)
    crm.edit(ada, "email", "ada@home.example.com")
    said: list[str] = []
    waits = threading.Thread(target=lambda: said.append(command(house, "--sync", "people", "--yes", "--wait")))
    waits.start()
    while not house.sql("SELECT 1 FROM undo"):
        time.sleep(0.01)
    house.undoing()
    waits.join()
    assert "Run 2: 1 value to be put back, by the running daemon, or else by" in said[0]
    assert "Put back: 0 values. Left as they are: 1." in said[0]
    assert "somebody has changed it since" in said[0]
    [(note,)] = house.sql("SELECT note FROM run WHERE kind = 'undo'")
    assert note.startswith("sync people, by ")


def test_the_command_wants_to_know_what(build: Build) -> None:
    house, _, _ = written(build)
    done = CliRunner().invoke(app, ["undo", "-c", str(house.path)])
    assert done.exit_code == 2
    assert "say what: --run, --sync, --contact, --since, --until" in done.output


# --- the private API ------------------------------------------------------------------------------


def api(house: House, method: str, path: str, **given: Any) -> tuple[int, Any]:
    body = json.dumps(given).encode() if method == "POST" else b""
    headers = {"content-type": "application/json"} if method == "POST" else {}
    reply = at_the_desk(house, lambda line: line.call(method, path, body, **headers))
    return reply.status, json.loads(reply.body)


def test_the_private_api_shows_runs_and_takes_values_back(build: Build) -> None:
    house, _, ada = written(build)
    status, shown = api(house, "POST", "/api/undo", run=1)
    assert (status, shown["put_back"], shown["done"], shown["values"][0]["ours"]) == (200, 1, False, MAIL)
    assert house.sql("SELECT count(*) FROM undo") == [(0,)]
    assert api(house, "POST", "/api/undo", run=1, do=True)[1]["run"] == 2
    house.undoing()
    assert house.held(ada) == ""
    undo, pull = api(house, "GET", "/api/runs")[1]
    assert (undo["kind"], undo["undone"], undo["note"]) == ("undo", 1, "run 1, by the private API")
    assert (pull["kind"], pull["written"]) == ("pull", 1)
    told = api(house, "GET", f"/api/contacts/crm/contacts/{ada}")[1]
    [write] = told["jobs"][0]["writes"]
    assert (write["cost"], write["undo"]["state"]) == (1.0, "undone")
    assert api(house, "GET", "/api/contacts/crm/contacts/999")[0] == 404


@pytest.mark.parametrize(
    "given", [{}, {"do": True}, {"runn": 1}, {"run": "1"}, {"contact": "501"}, {"since": "soon"}], ids=str
)
def test_the_private_api_wants_to_know_what(build: Build, given: dict[str, Any]) -> None:
    house, _, _ = written(build)
    assert api(house, "POST", "/api/undo", **given)[0] == 400
    assert house.sql("SELECT count(*) FROM undo") == [(0,)]
