"""A person is erased: no byte of theirs is left in the files, the ledger adds up, and nobody asks about them again."""

import json
import re
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest
from typer.testing import CliRunner

from syncd.cli import app
from syncd.contract import jsontext
from syncd.contract.errors import Garbled, InDoubt, RateLimited
from syncd.contract.model import Answer, Delivery, Grade, Identity, Submission
from syncd.ledger import arrivals, forgetting, inbox, upkeep
from syncd.ledger.arrivals import unpacked
from syncd.ledger.states import DeliveryState
from syncd.ledger.store import queries, reading
from tests.contract.fake_crm import FakeCrm
from tests.contract.fake_provider import CAPABILITIES, STRANGER, FakeProvider
from tests.places import all_bytes, in_words, place_of

from .audit import BODIES
from .by_hand import EMPTY, NOW, Tables, Where
from .conftest import Build
from .harness import EMAIL, PHONE, SECRET, UNHEARD, Harness
from .test_suppression import CONFIG

HANDLE = "adelheid-quendolin"
PROFILE = f"https://www.linkedin.com/in/{HANDLE}"
MAIL = "adelheid@quendolin.example.com"
FOUND = "a.quendolin@works.example.com"
NUMBER = "+442079460123"
ADA = Identity(
    first_name="Adelheid", last_name="Quendolin", company="Quendolin Ltd", domain="works.example.com",
    linkedin_url=PROFILE, emails=(MAIL,), phones=("+442079460456",),
)  # fmt: skip
ERASED = "what it said was erased"
UNREAD = "an answer about them waits to be read"
HELD = "they are being worked on"
TRACES = ("adelheid", "quendolin", "2079460123", "2079460456")


@pytest.fixture
def lived(build: Build) -> Harness:
    """Two records of one person in two CRMs, asked about in one bulk with others; found, written, and one in review."""
    harness = build(
        providers=[FakeProvider("ann", capabilities=CAPABILITIES)],
        second=FakeCrm("other", first=901),
        fields={EMAIL: ["ann"], PHONE: ["ann"]},
    )
    ada = harness.crm.add(ADA)
    harness.crms["other"].add(ADA)
    for name in ("Bo", "Cy"):
        harness.finds(harness.person(name), EMAIL, f"{name.lower()}@acme.example.com")
    harness.finds(ada, EMAIL, FOUND)
    harness.finds(ada, PHONE, NUMBER)
    harness.fake.says[ada, PHONE] = (Identity(first_name="Adelheid", last_name="Quendolin", company="Elsewhere"),)
    harness.ask()
    harness.clock.time += 60
    harness.dispatch()
    harness.answer_all()
    harness.finish()
    harness.pull()
    harness.plan()
    assert harness.held(ada) == FOUND
    return harness


def command(harness: Harness, *words: str, code: int = 0) -> str:
    config = harness.path.parent / "config.yaml"
    config.write_text(CONFIG.format(ledger=in_words(harness.path), secret=SECRET), "utf-8")
    done = CliRunner().invoke(app, [*words, "-c", str(config)])
    assert done.exit_code == code, (done.output, done.exception)
    return done.stdout


def forget(harness: Harness, who: str) -> dict[str, object]:
    told: dict[str, object] = json.loads(command(harness, "forget", who, "--yes", "--json"))
    return told


def left_of(harness: Harness, traces: tuple[str, ...] = TRACES) -> list[str]:
    """What of a person is still there, in any of the forms in which texts are stored."""
    found = all_bytes(harness.path).lower()
    forms = {trace: (trace.encode(), trace.encode("utf-16-le"), json.dumps(trace)[1:-1].encode()) for trace in traces}
    return [trace for trace, all_ in forms.items() if any(form in found for form in all_)]


def bodies(harness: Harness) -> bytes:
    """All raw answers, unpacked."""
    return b"".join(unpacked(*row) for row in harness.sql(BODIES)).lower()


def adds_up(harness: Harness) -> bool:
    place = place_of(harness.path)
    with reading(place) as tx:
        return list(upkeep.problems(place, tx)) == []


def test_all_that_is_held_of_a_person_is_counted_before_it_is_erased(lived: Harness) -> None:
    counts = {
        "fields": "job", "answers": "result JOIN job ON job.id = job_id", "writes": "write JOIN job ON job.id = job_id",
        "reviews": "review JOIN job ON job.id = job_id", "steps of history": "history JOIN job ON job.id = job_id",
    }  # fmt: skip
    ids = [row[0] for row in lived.sql("SELECT id FROM contact WHERE identity LIKE '%Adelheid%'")]
    mine = f"contact_id IN ({', '.join(map(str, ids))})"
    held = lived.run(lived.ledger.read(forgetting.held, ids))
    for what, rows in counts.items():
        told = lived.sql(f"SELECT count(*) FROM {rows} WHERE {mine}")
        assert held.counts[what] == told[0][0] > 0, what
    calls = f"SELECT attempt.submission_id FROM attempt JOIN job ON job.id = job_id WHERE {mine}"
    assert held.counts["calls"] == lived.sql(f"SELECT count(DISTINCT submission_id) FROM ({calls}) AS them")[0][0]
    bodies = f"SELECT count(*) FROM delivery WHERE length(body) > 0 AND submission_id IN ({calls})"
    assert held.counts["raw answers"] == lived.sql(bodies)[0][0] > 0
    assert (held.counts["records"], len(held.refs)) == (2, 2)


OF_JOBS = ("review", "result", "undo", "write", "attempt", "again", "history")
OF_CONTACTS = ("member", "person_key", "job")


def test_of_everybody_else_each_row_stays(lived: Harness) -> None:
    """Values of all of them were put back, and wait for it."""
    lived.undo(contact=lived.ref("502"))
    lived.undoing()
    lived.undo()
    lived.run(
        lived.ledger.write(lambda tx: tx.run("again_soon", sync="people", field=EMAIL, first=1, last=99, now=1.0))
    )

    def rows(*, theirs: bool) -> dict[str, list[tuple[object, ...]]]:
        whose = f"contact_id {'' if theirs else 'NOT '}IN (SELECT id FROM contact WHERE identity LIKE '%Adelheid%')"
        jobs = f"job_id IN (SELECT id FROM job WHERE {whose})"
        told = {table: lived.sql(f"SELECT * FROM {table} WHERE {jobs}") for table in OF_JOBS}
        return told | {table: lived.sql(f"SELECT * FROM {table} WHERE {whose}") for table in OF_CONTACTS}

    before, erased = rows(theirs=False), rows(theirs=True)
    assert all(before[table] for table in OF_JOBS if table != "review")
    assert all(erased[table] for table in OF_JOBS)
    forget(lived, MAIL)
    after = {table: rows_ for table, rows_ in rows(theirs=False).items() if table != "job"}
    assert after == {table: rows_ for table, rows_ in before.items() if table != "job"}
    for table in (*OF_JOBS, *OF_CONTACTS):
        assert len(lived.sql(f"SELECT * FROM {table}")) == len(before[table]), table


# --- erased -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("who", [MAIL, FOUND, MAIL.upper(), "crm/contacts/501", "other/contacts/901"])
def test_no_byte_of_a_person_is_left(lived: Harness, who: str) -> None:
    assert left_of(lived) == list(TRACES), "it is all there before"
    assert b"quendolin" in bodies(lived)
    told = forget(lived, who)
    assert sorted(told["records"]) == ["crm/contacts/501", "other/contacts/901"]  # type: ignore[call-overload]
    assert left_of(lived) == []
    assert b"quendolin" not in bodies(lived)
    assert adds_up(lived)


def test_it_is_shown_first(lived: Harness) -> None:
    told = json.loads(command(lived, "forget", MAIL, "--json"))
    assert told["done"] is False
    assert {what for what, n in told["held"].items() if n} >= {"records", "fields", "calls", "answers", "writes"}
    assert left_of(lived) == list(TRACES)
    assert "copies of the ledger" in command(lived, "forget", MAIL)


def test_others_and_the_bill_are_as_they_were(lived: Harness) -> None:
    query = """SELECT ext_id, field, job.state, job.reason, job.value, outcome, candidates FROM contact
        JOIN job ON job.contact_id = contact.id LEFT JOIN result ON result.job_id = job.id
        WHERE identity NOT LIKE '%Quendolin%' ORDER BY 1, 2, result.id"""
    before, bill = lived.sql(query), lived.sql("SELECT * FROM spend ORDER BY 1, 2, 3")
    forget(lived, MAIL)
    assert lived.sql(query) == before
    assert lived.sql("SELECT * FROM spend ORDER BY 1, 2, 3") == bill
    assert lived.sql("SELECT count(*) FROM submission WHERE charged_mc > 0")[0][0] > 0


def test_nobody_asks_again_although_the_crm_still_holds_them(lived: Harness) -> None:
    forget(lived, MAIL)
    before = len(lived.fake.submitted)
    lived.crm.add(Identity(first_name="Adelheid", last_name="Quendolin", domain="works.example.com"))
    lived.crms["other"].add(Identity(first_name="A.", last_name="Q.", linkedin_url=PROFILE))
    for _ in range(2):
        lived.clock.time += 100 * 86_400
        lived.ask()
        lived.finish()
    asked = [request for call in lived.fake.submitted[before:] for request in call.requests]
    assert {request.identity.first_name for request in asked} == {"Bo", "Cy"}
    assert left_of(lived) == [], "not even stored again"


def test_a_mailbox_that_was_found_and_not_written_tells_them_too(harness: Harness) -> None:
    """Another record that the CRM gets later, under another name, holds what an answer brought."""
    ada = harness.person("Adelheid")
    harness.finds(ada, EMAIL, FOUND, grade=Grade.UNKNOWN)
    harness.ask()
    harness.answer_all()
    harness.finish()
    assert harness.held(ada) == ""
    forget(harness, f"crm/contacts/{ada}")
    harness.crm.add(Identity(first_name="Heidi", last_name="Q.", emails=(FOUND,)))
    harness.pull()
    assert harness.sql("SELECT count(*) FROM contact") == [(0,)]


def test_whom_an_answer_spoke_of_by_mistake_is_not_forgotten_with_them(harness: Harness) -> None:
    """The CRM gets that person later."""
    ada = harness.person("Ada")
    mail = "zoltan@elsewhere.example.org"
    harness.finds(ada, EMAIL, mail)
    harness.fake.says[ada, EMAIL] = (STRANGER,)
    harness.ask()
    harness.answer_all()
    harness.verify()
    forget(harness, f"crm/contacts/{ada}")
    harness.crm.add(replace(STRANGER, emails=(mail,)))
    harness.pull()
    assert harness.sql("SELECT count(*) FROM contact") == [(1,)]


def test_a_person_whom_the_ledger_does_not_know_is_left_alone_from_now_on(harness: Harness) -> None:
    harness.person("Bo")
    harness.pull()
    assert forget(harness, MAIL)["records"] == []
    harness.crm.add(ADA)
    assert harness.ask() == 2, "only about the other one"
    assert left_of(harness) == []


def test_who_waited_for_their_answer_goes_on(build: Build) -> None:
    """A namesake stood behind them."""
    harness = build(fields={EMAIL: ["ann"]})
    ada = harness.crm.add(Identity(first_name="Adelheid", last_name="Quendolin", domain="works.example.com"))
    twin = harness.crm.add(Identity(first_name="Adelheid", last_name="Quendolin", domain="works.example.com"))
    harness.ask()
    states = {harness.state(ada), harness.state(twin)}
    assert states == {"sent", "waiting"}
    asked = ada if harness.state(ada) == "sent" else twin
    other = twin if asked == ada else ada
    forget(harness, f"crm/contacts/{asked}")
    assert harness.sql("SELECT count(*) FROM job WHERE behind IS NOT NULL") == [(0,)]
    assert harness.state(other) == "queued"
    assert adds_up(harness)


# --- while something is under way ---------------------------------------------------------------------


def test_a_late_answer_is_dropped_and_its_charge_is_not(build: Build) -> None:
    harness = build(fields={EMAIL: ["ann"]})
    ada = harness.crm.add(ADA)
    harness.finds(ada, EMAIL, FOUND)
    harness.ask()
    forget(harness, MAIL)
    assert harness.credits()["reserved"] == 1
    harness.answer_all()
    harness.finish()
    assert harness.held(ada) == ""
    assert (harness.credits()["charged"], harness.credits()["reserved"]) == (1, 0)
    assert harness.tally("answers_of_forgotten") == 1
    forget(harness, MAIL)  # once more, to empty the -wal
    assert left_of(harness) == []
    assert adds_up(harness)


class Doubter(FakeProvider):
    """Believes no answer that it can't compare with what was asked, as the one that nobody signs."""

    def parse(self, delivery: Delivery, submission: Submission) -> Answer:
        if not any(request.identity.last_name for request in submission.requests):
            raise Garbled("a find that repeats nothing of what was sent", charged=Decimal(1))
        return super().parse(delivery, submission)


def test_a_late_answer_that_can_not_be_believed_is_paid_and_dropped(build: Build) -> None:
    harness = build(providers=[Doubter("ann", capabilities=UNHEARD)], fields={EMAIL: ["ann"]})
    ada = harness.crm.add(ADA)
    harness.finds(ada, EMAIL, FOUND)
    harness.ask()
    forget(harness, MAIL)
    harness.answer_all()
    assert (harness.credits()["charged"], harness.credits()["reserved"]) == (1, 0)
    assert (harness.tally("answers_of_forgotten"), harness.tally("paid_answers_set_aside")) == (1, 0)
    assert bodies(harness) == b""


def test_of_a_late_bulk_the_others_are_taken(build: Build) -> None:
    harness = build(providers=[FakeProvider("ann", capabilities=CAPABILITIES)], fields={EMAIL: ["ann"]})
    ada, bo = harness.crm.add(ADA), harness.person("Bo")
    harness.finds(ada, EMAIL, FOUND)
    harness.finds(bo, EMAIL, "bo@acme.example.com")
    harness.ask()
    harness.clock.time += 60
    harness.dispatch()
    forget(harness, MAIL)
    harness.answer_all()
    harness.finish()
    assert (harness.held(ada), harness.held(bo)) == ("", "bo@acme.example.com")
    assert harness.tally("answers_of_forgotten") == 1
    assert harness.tally("items_unmatched") == 0
    assert b"quendolin" not in bodies(harness)
    assert adds_up(harness)


@pytest.mark.parametrize("trouble", [InDoubt("cut off"), RateLimited("slow down", after=60.0)])
def test_what_is_in_doubt_or_waits_is_erased_too(build: Build, trouble: Exception) -> None:
    harness = build(fields={EMAIL: ["ann"]})
    harness.crm.add(ADA)
    harness.fake.refusals.append(trouble)  # type: ignore[arg-type]  # a ConnectorError, each
    harness.ask()
    forget(harness, MAIL)
    assert left_of(harness) == []
    assert adds_up(harness)


@pytest.mark.sqlite  # on a database nobody is alone: whoever works there has to read it first
def test_an_unread_bulk_is_cut(build: Build) -> None:
    """No daemon runs, and an answer waits: of the one who is erased it is taken out, the others are read later."""
    harness = build(providers=[FakeProvider("ann", capabilities=CAPABILITIES)], fields={EMAIL: ["ann"]})
    ada, bo = harness.crm.add(ADA), harness.person("Bo")
    harness.finds(ada, EMAIL, FOUND)
    harness.finds(bo, EMAIL, "bo@acme.example.com")
    harness.ask()
    harness.clock.time += 60
    harness.dispatch()
    for call in harness.fake.accepted.values():
        harness.deliver(harness.fake.delivery(call))
    forget(harness, MAIL)
    assert left_of(harness) == []
    harness.finish()
    assert harness.held(bo) == "bo@acme.example.com"
    assert adds_up(harness)


@pytest.mark.parametrize("whole", [True, False], ids=["set aside as it came", "of which the beginning was kept"])
def test_a_bulk_that_was_set_aside_is_cut_or_emptied(build: Build, whole: bool) -> None:
    harness = build(providers=[FakeProvider("ann", capabilities=CAPABILITIES)], fields={EMAIL: ["ann"]})
    ada, bo = harness.crm.add(ADA), harness.person("Bo")
    harness.finds(ada, EMAIL, FOUND)
    harness.finds(bo, EMAIL, "bo@acme.example.com")
    harness.ask()
    harness.clock.time += 60
    harness.dispatch()
    [call] = harness.fake.accepted.values()
    delivery = harness.fake.delivery(call)
    kept = replace(delivery, body=delivery.body if whole else b"x" * 5000 + delivery.body)
    now, state = harness.clock.now(), DeliveryState.QUARANTINED
    harness.run(
        harness.ledger.write(arrivals.store, "ann", kept, now=now, state=state, note="set aside", believed=whole)
    )
    json.loads(command(harness, "export", MAIL))
    forget(harness, MAIL)
    assert left_of(harness) == []
    [(body, size)] = harness.sql("SELECT body, size FROM delivery")
    assert (b"bo@acme" in body) is whole
    assert not whole or size == len(body)


def test_a_forged_bulk_about_others_is_not_believed_once_it_was_cut(build: Build) -> None:
    """Its signature was wrong. It is looked at again, without the reason for which it was set aside."""
    harness = build(providers=[FakeProvider("ann", capabilities=CAPABILITIES)], fields={EMAIL: ["ann"]})
    harness.crm.add(ADA)
    bo = harness.person("Bo")
    harness.ask()
    harness.clock.time += 60
    harness.dispatch()
    [call] = harness.fake.accepted.values()
    harness.finds(bo, EMAIL, "forged@acme.example.com")
    forged = replace(harness.fake.delivery(call), headers={"x-fake-signature": "0" * 40})
    now, state = harness.clock.now(), DeliveryState.QUARANTINED
    harness.run(harness.ledger.write(arrivals.store, "ann", forged, now=now, state=state, note=inbox.UNSIGNED))
    forget(harness, MAIL)
    [(body,)] = harness.sql("SELECT body FROM delivery")
    assert b"forged@acme" in body, "it speaks of somebody else, too"
    harness.run(harness.ledger.write(inbox.look_again, limit=9))
    harness.finish()
    assert (harness.held(bo), harness.state(bo)) == ("", "sent")
    assert harness.sql("SELECT state FROM delivery") == [("quarantined",)]


def test_what_a_process_works_on_is_waited_for(lived: Harness) -> None:
    """The claim of a stage is respected: nothing is deleted under its hands."""
    with reading(place_of(lived.path)) as tx:
        contacts = forgetting.find(tx, MAIL)
    now = lived.clock.now()
    lived.run(lived.ledger.write(lambda tx: tx.run("worker_renew", owner=7, now=now, lease=60.0, worth=0)))
    items = json.dumps(list(contacts))
    take = {"kind": "record", "items": items, "owner": 7, "epoch": 99}
    lived.run(lived.ledger.write(lambda tx: tx.run("claims_take", **take)))
    with pytest.raises(forgetting.InTheWay, match="worked on"):
        lived.run(lived.ledger.write(forgetting.erase, contacts, [], set(), now=now, alone=False))
    later = now + 61
    lived.run(lived.ledger.write(forgetting.erase, contacts, [], set(), now=later, alone=False))
    assert lived.sql("SELECT count(*) FROM contact WHERE identity LIKE '%Quendolin%'") == [(0,)]


# --- said of others -----------------------------------------------------------------------------------


def test_an_answer_about_somebody_else_that_names_them_is_emptied(build: Build) -> None:
    harness = build(fields={EMAIL: ["ann"]})
    harness.crm.add(ADA, email="kept@works.example.com")
    bo = harness.person("Bo")
    harness.finds(bo, EMAIL, FOUND)
    harness.fake.says[bo, EMAIL] = (ADA,)
    harness.ask()
    harness.answer_all()
    harness.finish()
    assert harness.job(bo) == ("done", "identity_mismatch")
    forget(harness, MAIL)
    assert left_of(harness) == []
    calls = len(harness.submissions())
    harness.plan()
    assert (len(harness.submissions()), harness.state(bo)) == (calls, "done"), "the question was asked, and stays so"
    assert adds_up(harness)


@pytest.mark.sqlite  # looks at its tables
def test_no_table_with_a_contact_or_a_job_is_left_out(harness: Harness) -> None:
    said = " ".join(text for name, text in queries().items() if name.startswith("forget_"))
    deleted = set(re.findall(r"DELETE FROM (\w+)", said))
    tables = [name for (name,) in harness.sql("SELECT name FROM sqlite_schema WHERE type = 'table'")]
    for table in tables:
        columns = {row[1] for row in harness.sql(f"PRAGMA table_info({table})")}
        if columns & {"job_id", "contact_id"}:
            assert table in deleted, table


@pytest.mark.parametrize(
    ("body", "left"),
    [
        (b'{"data": [{"id": "aa", "x": 1}, {"id": "bb"}]}', {"data": [{"id": "bb"}]}),
        (b'[{"a": {"id": "aa"}}, {"b": [{"id": "bb"}]}]', [{"b": [{"id": "bb"}]}]),
        (b'{"id": "aa", "x": [1]}', None),
        (b"no JSON with aa", None),
    ],
)
def test_items_are_cut_out_of_an_answer(body: bytes, left: object) -> None:
    assert forgetting.cut(body, {"aa"}) == (b"" if left is None else jsontext.dump_bytes(left))


@pytest.mark.sqlite  # rows are put there by hand
def test_of_each_person_one_record_is_named_in_one_order(tables: Tables) -> None:
    """The first of each person's, whatever their ids are, and whichever are asked for first."""
    for n, (ext_id, person) in enumerate((("c", "p"), ("b", "q"), ("d", "q"), ("a", "r")), 1):
        given = {**EMPTY, "connection": "crm", "object": "o", "person": person}
        tables.add(Where("contact", "ext_id"), ext_id, id=n, **given)
    assert tables.read(forgetting.persons, [1, 2, 3]) == ["crm/o/b", "crm/o/c"]
    assert tables.read(forgetting.persons, [4, 3, 1]) == ["crm/o/a", "crm/o/c", "crm/o/d"]


@pytest.mark.sqlite  # rows are put there by hand
@pytest.mark.parametrize(
    ("table", "name", "column", "alone"),
    [
        ("breaker", "connection", "refused", "[]"),
        ("breaker", "connection", "why", ERASED),
        ("connection", "name", "message", ERASED),
        ("sync_state", "sync", "words", ERASED),
        ("alert", "target", "line", ERASED),
        ("symptom", "kind", "why", ERASED),
        ("run", "sync", "error", ERASED),
        ("run", "sync", "note", ERASED),
    ],
)
def test_wherever_a_text_names_the_person_all_of_it_goes(
    tables: Tables, table: str, name: str, column: str, alone: str
) -> None:
    """At its beginning, inside or at its end, in whatever letters; a text that names nobody stays."""
    texts = (f"{MAIL} was refused", f"refused: {MAIL.upper()}", f"of {MAIL} it said no", "it said no", "")
    empty = {"breaker": {"refused": "[]", "why": ""}, "run": {"error": "", "note": ""}}.get(table, {})
    for n, text in enumerate(texts):
        tables.add(Where(table, name), f"n{n}", **{**empty, column: text})
    tables.write(forgetting._erase_mentions, [], {MAIL, "nobody@else.example.com"})
    told = {key: rows[0][0] for key, rows in tables.rows(Where(table, name), [column]).items()}
    assert told == {"n0": alone, "n1": alone, "n2": alone, "n3": "it said no", "n4": ""}
    for other in {*empty} - {column}:
        kept = {key: rows[0][0] for key, rows in tables.rows(Where(table, name), [other]).items()}
        assert set(kept.values()) == {empty[other]}, "what was empty stays empty"


@pytest.mark.sqlite  # rows are put there by hand
def test_of_an_answer_that_names_the_person_no_byte_stays(tables: Tables) -> None:
    """The raw body goes with what was understood of it; whether its signature was checked stays known."""
    for n, headers in ((1, None), (2, '{"X-Signature": "s"}'), (3, None)):
        tables.add(Where("delivery", "id"), n, body=MAIL.encode(), sample_id=7, headers=headers, size=9)
        row = {"candidates": MAIL, "said": MAIL, "note": MAIL, "doubt": ("", MAIL, "")[n - 1], "at": 1.0}
        tables.add(Where("result", "id"), n, job_id=n, delivery_id=n, outcome="found", **row)
    tables.write(forgetting._erase_mentions, [1, 2], {MAIL})
    raw = tables.rows(Where("delivery", "id"), ["body", "sample_id", "headers"])
    assert raw == {1: [(b"", None, None)], 2: [(b"", None, "{}")], 3: [(MAIL.encode(), 7, None)]}
    said = tables.rows(Where("result", "id"), ["candidates", "said", "note", "doubt"])
    assert said == {1: [("[]", "[]", "", "")], 2: [("[]", "[]", "", ERASED)], 3: [(MAIL, MAIL, MAIL, "")]}


@pytest.mark.sqlite  # rows are put there by hand
@pytest.mark.parametrize(
    ("row", "why"),
    [
        (("job", "id", 1, {"contact_id": 1, "field": "email", "state": "sending"}), "a call about them is being made"),
        (("job", "id", 1, {"contact_id": 1, "field": "email", "state": "sent"}), None),
        (("job", "id", 2, {"contact_id": 2, "field": "email", "state": "sending"}), None),
        (("undo", "write_id", 5, {"contact_id": 1, "state": "intent"}), "a value of theirs is being put back"),
        (("undo", "write_id", 5, {"contact_id": 1, "state": "asked"}), None),
        (("undo", "write_id", 5, {"contact_id": 2, "state": "intent"}), None),
        (("delivery", "id", 8, {"submission_id": "s", "state": "received", "body": b""}), UNREAD),
        (("delivery", "id", 8, {"submission_id": "s", "state": "applied", "body": b""}), None),
        (("delivery", "id", 8, {"submission_id": "t", "state": "received", "body": b""}), None),
        (("claim", "item", "1", {"kind": "contact", "owner": 7}), HELD),
        (("claim", "item", "1", {"kind": "record", "owner": 7}), HELD),
        (("claim", "item", "1", {"kind": "selection", "owner": 7}), None),
        (("claim", "item", "2", {"kind": "contact", "owner": 7}), None),
        (("claim", "item", "1", {"kind": "contact", "owner": 8}), None),
        (("claim", "item", "1", {"kind": "contact", "owner": 9}), None),
        (("claim", "item", "11", {"kind": "job", "owner": 7}), HELD),
        (("claim", "item", "12", {"kind": "job", "owner": 7}), None),
        (("claim", "item", "s", {"kind": "submission", "owner": 7}), HELD),
        (("claim", "item", "t", {"kind": "submission", "owner": 7}), None),
        (("claim", "item", "3", {"kind": "delivery", "owner": 7}), HELD),
        (("claim", "item", "4", {"kind": "delivery", "owner": 7}), None),
    ],
)  # fmt: skip
def test_what_is_being_done_with_a_person_is_in_the_way(
    tables: Tables, row: tuple[str, str, Any, dict[str, Any]], why: str | None
) -> None:
    """Contact 1 with the jobs 1 and 11, asked about in the call s. Process 8 has ended, and nobody knows of 9."""
    table, key, name, values = row
    for delivery, call in ((3, "s"), (4, "t")):
        tables.add(Where("delivery", "id"), delivery, submission_id=call, state="applied", body=b"")
    tables.add(Where("worker", "owner"), 7, lease_until=NOW + 1)
    tables.add(Where("worker", "owner"), 8, lease_until=NOW)
    tables.add(Where(table, key), name, **values)
    given = {"ids": "[1]", "jobs": "[1, 11]", "calls": '["s"]', "now": NOW}
    assert tables.read(lambda tx: tx.value("forget_in_the_way", **given)) == why


@pytest.mark.sqlite  # rows are put there by hand
def test_notes_about_those_jobs_that_name_the_person_go(tables: Tables) -> None:
    """Of the jobs, their reviews and their history; not those of other jobs, nor what names nobody."""
    texts = {1: f"{MAIL} is theirs", 2: f"it names {MAIL.upper()}", 3: "it names nobody", 4: MAIL}
    for n, text in texts.items():
        tables.add(Where("result", "id"), n, job_id=n, outcome="found", at=1.0)
        tables.add(Where("job", "id"), n, contact_id=n, field="email", note=text, steps=f",{n}")
        tables.add(Where("review", "job_id"), n, result_id=n, why=text)
        tables.add(Where("step", "id"), n, note=text, jobs=1)
    tables.write(forgetting._erase_mentions, [1, 2, 3], {MAIL, "nobody@else.example.com"})
    for table, name, column, left in (
        ("job", "id", "note", ""),
        ("review", "job_id", "why", ERASED),
        ("step", "id", "note", ""),
    ):
        told = {n: rows[0][0] for n, rows in tables.rows(Where(table, name), [column]).items()}
        assert told == {1: left, 2: left, 3: texts[3], 4: texts[4]}, table


@pytest.mark.sqlite  # rows are put there by hand
def test_raw_answers_of_a_call_come_with_their_own_samples(tables: Tables) -> None:
    for n in (1, 2):
        tables.add(Where("sample", "id"), n, text=b"x" * n)
    for n, (call, sample) in enumerate((("s", 2), ("s", None), ("t", 1)), 1):
        tables.add(
            Where("delivery", "id"), n, submission_id=call, sample_id=sample, state="applied", body=b"b", digest=n
        )
    found = tables.read(
        lambda tx: [(row["id"], row["sample"]) for row in tx.rows("forget_deliveries", submission_id="s")]
    )
    assert sorted(found) == [(1, b"xx"), (2, None)]
