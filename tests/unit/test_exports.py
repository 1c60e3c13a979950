"""All that is held on a person can be handed to them; and it is told who was newly enriched."""

import csv
import io
import json
import stat
from pathlib import Path
from typing import Any

import pytest

from syncd.contract.model import Identity
from syncd.ledger import arrivals, exports, forgetting, glances
from tests.contract.fake_provider import CAPABILITIES, FakeProvider

from .by_hand import EMPTY, Tables, Where
from .conftest import Build
from .harness import EMAIL, Harness
from .test_forgetting import FOUND, MAIL, NUMBER, PROFILE, command, left_of, lived

__all__ = ["lived"]


def test_all_that_is_held_on_a_person_is_told(lived: Harness) -> None:
    """In two CRMs, and of a bulk that speaks of others only what is theirs."""
    told = json.loads(command(lived, "export", MAIL))
    text = json.dumps(told)
    assert [one["contact"] for one in told["records"]] == ["crm/contacts/501", "other/contacts/901"]
    assert all(value in text for value in (FOUND, NUMBER, PROFILE, "+442079460456", "Quendolin Ltd"))
    assert {one["provider"] for one in told["told_to_providers"]} == {"ann"}
    assert told["raw_answers"][0]["said"][0]["candidates"]
    assert told["raw_answers"][0]["at"].endswith("Z")
    assert "Bo" not in text
    assert "bo@acme" not in text


@pytest.mark.parametrize(("body", "said"), [(b'{"x": 1}', {"x": 1}), (b"no JSON \xff", "no JSON \ufffd")])
def test_an_answer_that_speaks_of_nobody_else_is_told_as_it_came(build: Build, body: bytes, said: object) -> None:
    harness = build(fields={EMAIL: ["ann"]})
    contact = harness.person("Ada")
    harness.ask()
    for submission in harness.fake.accepted.values():
        harness.call_back(submission, body=body)
    told = json.loads(command(harness, "export", f"crm/contacts/{contact}"))
    assert [one["said"] for one in told["raw_answers"]] == [said]


def test_it_goes_into_a_new_file_that_only_its_owner_can_read(lived: Harness, tmp_path: Path) -> None:
    out = tmp_path / "ada.json"
    command(lived, "export", "crm/contacts/501", "--out", str(out))
    assert stat.S_IMODE(out.stat().st_mode) == 0o600
    assert json.loads(out.read_text("utf-8"))["records"]
    assert command(lived, "export", "crm/contacts/501", "--out", str(out), code=1) == ""


def test_of_somebody_who_was_erased_nothing_is_told(lived: Harness) -> None:
    command(lived, "forget", MAIL, "--yes")
    assert command(lived, "export", MAIL, code=1) == ""


def test_who_was_newly_enriched_is_told_for_a_notice(build: Build) -> None:
    harness = build(providers=[FakeProvider("ann", capabilities=CAPABILITIES)], fields={EMAIL: ["ann"]})
    first = harness.crm.add(
        Identity(first_name="=Ada", last_name="Stone", linkedin_url="https://www.linkedin.com/in/ada")
    )
    harness.finds(first, EMAIL, "ada@acme.example.com")
    _enrich(harness)
    harness.clock.time += 86_400
    later = harness.clock.now()
    second = harness.person("Bo")
    harness.finds(second, EMAIL, "bo@acme.example.com")
    _enrich(harness)
    everybody = json.loads(command(harness, "export", "--new-since", "2000-01-01"))
    assert [(one["contact"], one["value"], one["source"]) for one in everybody] == [
        (f"crm/contacts/{first}", "ada@acme.example.com", "ann"),
        (f"crm/contacts/{second}", "bo@acme.example.com", "ann"),
    ]
    with_head = list(
        csv.reader(io.StringIO(command(harness, "export", "--new-since", "2000-01-01", "--format", "csv")))
    )
    assert with_head[0][:3] == ["contact", "name", "email"]
    assert with_head[1][1] == "'=Ada Stone", "no cell is a formula"
    newly = harness.run(harness.ledger.read(exports.newly_enriched, later))
    assert [one.contact for one in newly] == [f"crm/contacts/{second}"]


def _enrich(harness: Harness) -> None:
    harness.ask()
    harness.clock.time += 60
    harness.dispatch()
    harness.answer_all()
    harness.finish()


@pytest.mark.parametrize(
    "words", [["export"], ["export", MAIL, "--new-since", "1d"], ["export", MAIL, "--format", "csv"]]
)
def test_what_makes_no_sense_is_a_usage_error(harness: Harness, words: list[str]) -> None:
    command(harness, *words, code=2)


def test_a_mailbox_of_two_people_is_neither_told_nor_erased(harness: Harness) -> None:
    for name in ("Ada", "Bo"):
        harness.crm.add(Identity(first_name=name, last_name=name * 2, emails=("both@acme.example.com",)))
    harness.pull()
    command(harness, "export", "both@acme.example.com", code=1)
    command(harness, "forget", "both@acme.example.com", "--yes", code=1)
    assert left_of(harness, ("bobo", "adaada")) == ["bobo", "adaada"]
    command(harness, "forget", "crm/contacts/501", "--yes")
    assert left_of(harness, ("bobo", "adaada")) == ["bobo"]
    harness.crm.add(Identity(first_name="Cy", last_name="Cycy", emails=("both@acme.example.com",)))
    harness.pull()
    assert left_of(harness, ("cycy",)) == ["cycy"], "what two people shared tells nobody"


@pytest.mark.parametrize(
    ("body", "told"),
    [
        (b'{"data": [{"id": "aa", "x": 1}, {"id": "bb"}]}', [{"id": "aa", "x": 1}]),
        (b'[[{"id": "aa"}, {"id": "bb"}]]', [{"id": "aa"}]),
        (b"no JSON", None),
    ],
)
def test_only_their_own_items_are_told(body: bytes, told: object) -> None:
    assert forgetting.items(body, {"aa"}) == told


@pytest.mark.sqlite  # rows are put there by hand
def test_whom_something_was_written_for_that_had_nothing_before(tables: Tables) -> None:
    """Since a moment, each value by itself, in the order in which they were written."""
    for n in (1, 2, 3):
        given = {**EMPTY, "connection": "crm", "object": "o", "identity": f'{{"fn":"Ada{n}"}}'}
        tables.add(Where("contact", "ext_id"), f"e{n}", id=n, **given)
    jobs = ((1, "email"), (1, "phone"), (2, "email"), (2, "phone"), (3, "email"))
    for n, (contact, field) in enumerate(jobs, 1):
        tables.add(Where("job", "id"), n, contact_id=contact, field=field, sync="a", state="done")
        tables.add(Where("result", "id"), n, job_id=n, provider=f"p{n}", at=float(n), outcome="found")
    writes_ = (
        (2, "written", 5.0), (1, "written", 6.0), (3, "written", 4.9), (4, "written", 7.0), (5, "cleared", 1.0),
        (5, "written", 8.0), (1, "cleared", 9.0),
    )  # fmt: skip
    for n, (job, state, done) in enumerate(writes_, 1):
        row = {"state": state, "done_at": done, "at": 1.0, "after": f"v{n}", "run_id": 1, "property": "x"}
        tables.add(Where("write", "job_id"), job, id=n, **row, result_id=job)
    told = [
        (one.contact, one.name, one.field, one.value, one.source) for one in tables.read(exports.newly_enriched, 5.0)
    ]
    assert told == [
        ("crm/o/e1", "Ada1", "phone", "v1", "p2"), ("crm/o/e1", "Ada1", "email", "v2", "p1"),
        ("crm/o/e3", "Ada3", "email", "v6", "p5"),
    ]  # fmt: skip
    assert [one.value for one in tables.read(exports.newly_enriched, 4.9)] == ["v1", "v2", "v3", "v4", "v6"]
    lately = [(one["ref"], one["at"], one["provider"]) for one in tables.read(glances.written_lately, limit=9)]
    assert lately == [
        ("crm/o/e3", 8.0, "p5"), ("crm/o/e2", 7.0, "p4"), ("crm/o/e2", 4.9, "p3"), ("crm/o/e1", 6.0, "p1"),
        ("crm/o/e1", 5.0, "p2"),
    ]  # fmt: skip
    assert [one["at"] for one in tables.read(glances.written_lately, limit=2)] == [8.0, 7.0]


@pytest.mark.sqlite  # rows are put there by hand
def test_a_raw_answer_is_unpacked_with_its_own_sample(tables: Tables) -> None:
    body = b"an answer as it usually looks, with its own words" * 20
    for n in (1, 2):
        tables.add(Where("sample", "id"), n, text=(b"other words" * 20, body)[n - 1])
    packed = arrivals.packed(body + b"!", body)
    for n, (kept, sample) in enumerate(((b"as it came", None), (packed, 2)), 1):
        tables.add(Where("delivery", "id"), n, submission_id=f"s{n}", state="quarantined", body=kept, sample_id=sample)
    told = [tables.read(glances.body, n) for n in (1, 2, 3)]
    assert told == ["as it came", (body + b"!").decode(), None]


@pytest.mark.sqlite  # rows are put there by hand
def test_the_newest_runs_are_told_with_what_they_have_written_or_put_back(tables: Tables) -> None:
    for n, (sync, kind, started) in enumerate(
        (("a", "pull", 1.0), ("b", "pull", 2.0), ("a", "pull", 3.0), ("", "undo", 4.0)), 1
    ):
        tables.add(Where("run", "id"), n, sync=sync, kind=kind, started_at=started)
    for n, (run, state) in enumerate(((1, "written"), (1, "written"), (1, "cleared"), (3, "written")), 1):
        tables.add(Where("write", "id"), n, job_id=n, run_id=run, state=state, property="x", at=1.0)
    for n, state in enumerate(("undone", "asked", "intent", "kept", "undone"), 1):
        tables.add(Where("undo", "write_id"), n, run_id=4, state=state, job_id=n, contact_id=n)

    def told(**narrow: Any) -> list[tuple[Any, ...]]:
        given = {"sync": None, "before": 99, "since": 0.0, "limit": 9, **narrow}
        rows = tables.read(lambda tx: tx.rows("runs_newest", **given))
        return [(row["id"], row["written"], row["undone"], row["open"]) for row in rows]

    assert told() == [(4, 0, 2, 2), (3, 1, 0, 0), (2, 0, 0, 0), (1, 2, 0, 0)]
    assert [row[0] for row in told(sync="a")] == [3, 1]
    assert [row[0] for row in told(before=3)] == [2, 1]
    assert [row[0] for row in told(since=2.0)] == [4, 3, 2]
    assert [row[0] for row in told(limit=1)] == [4]


@pytest.mark.sqlite  # rows are put there by hand
def test_who_was_written_for_is_told_by_the_best_name_that_is_known(tables: Tables) -> None:
    names = (
        '{"fn":"Ada","ln":"Stone","n":"A. S."}',
        '{"n":"A. S."}',
        '{"ln":"Stone"}',
        "{}",
    )
    for n, identity in enumerate(names, 1):
        given = {**EMPTY, "connection": "crm", "object": "o", "identity": identity}
        tables.add(Where("contact", "ext_id"), f"e{n}", id=n, **given)
        tables.add(Where("job", "id"), n, contact_id=n, field="email", sync="a", state="done")
        row = {"state": "written", "done_at": 5.0, "at": 1.0, "after": "v", "run_id": 1, "property": "x"}
        tables.add(Where("write", "job_id"), n, id=n, **row)
    lately = [one["name"] for one in tables.read(glances.written_lately, limit=9)]
    assert lately == ["crm/o/e4", "Stone", "A. S.", "Ada Stone"]
    newly = [(one.name, one.source) for one in tables.read(exports.newly_enriched, 5.0)]
    assert newly == [("Ada Stone", ""), ("A. S.", ""), ("Stone", ""), ("", "")]
