"""What was kept for long enough goes, in every table; what keeps anybody from paying twice stays."""

from pathlib import Path

import pytest

from syncd.contract.model import Delivery, Identity, Source
from syncd.ledger import copies, retention, upkeep
from syncd.ledger.file import empty_wal
from syncd.ledger.retention import Purged
from syncd.ledger.store import Ledger, reading

from .audit import ask, sqlite3
from .by_hand import EMPTY, NOW, Tables, Where
from .conftest import Build
from .harness import DAY, EMAIL, Harness
from .test_forgetting import adds_up, left_of

VALUE = "ada@acme.example.com"
TRACES = ("quendolin", "adelheid")
ADA = Identity(
    first_name="Adelheid", last_name="Quendolin", company="Acme", domain="acme.example.com",
    linkedin_url="https://www.linkedin.com/in/adelheid-quendolin",
)  # fmt: skip


@pytest.fixture
def copy(written: Harness, tmp_path: Path) -> Path:
    copies.back_up(written.path, tmp_path / "copy.db")
    return tmp_path / "copy.db"


def told(path: Path) -> list[str]:
    with reading(path) as tx:
        return list(upkeep.problems(path, tx))


def purge(harness: Harness, *, raw: float = 0.0, jobs: float = 0.0, people: float = 0.0, now: float = 0.0) -> Purged:
    times = {"raw_before": raw, "jobs_before": jobs, "people_before": people, "now": now or harness.clock.now()}
    return harness.run(harness.ledger.write(retention.purge, **times))


def test_bodies_go_once_they_are_read_and_old_and_the_rest_of_the_answer_stays(written: Harness) -> None:
    now = written.clock.now()
    written.deliver(Delivery(submission_id="s", source=Source.CALLBACK, body=b"unread", headers={"x": "1"}))
    purge(written, raw=0.0)
    assert written.sql("SELECT count(*) FROM delivery WHERE length(body) > 0") == [(3,)]
    purge(written, raw=now + 1)
    assert written.sql("SELECT body, headers FROM delivery WHERE state = 'received'") == [(b"unread", None)]
    read = written.sql("SELECT DISTINCT body, headers, state FROM delivery WHERE state <> 'received'")
    assert read == [(b"", None, "applied")]


def test_bodies_go_portion_by_portion_and_round_after_round(written: Harness, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of two at a time, and once more from the beginning: what was too young in one round goes in the next one."""
    monkeypatch.setattr(retention, "PORTION", 2)
    written.deliver(Delivery(submission_id="s", source=Source.CALLBACK, body=b"unread"))
    ids = [row[0] for row in written.sql("SELECT id FROM delivery ORDER BY id")]
    assert len(ids) == 3

    def left() -> list[int]:
        return [row[0] for row in written.sql("SELECT id FROM delivery WHERE length(body) > 0 ORDER BY id")]

    now = written.clock.now() + 1
    purge(written, raw=0.0)
    assert left() == ids
    purge(written, raw=now)
    assert left() == ids, "in the second portion is what nobody has read"
    purge(written, raw=now)
    assert left() == ids[2:]


def test_of_a_finished_job_only_that_it_is_and_what_it_cost_stays(written: Harness, copy: Path) -> None:
    kept = "SELECT id, state, reason FROM job", "SELECT charged_mc, reserved_mc FROM submission"
    histories = "SELECT (SELECT count(*) FROM event), (SELECT count(*) FROM result), (SELECT count(*) FROM write)"
    before = [ask(copy, one) for one in (*kept, histories)]
    Ledger.change(copy, retention.purge, raw_before=0.0, jobs_before=0.0, people_before=0.0, now=1.0)
    assert [ask(copy, one) for one in (*kept, histories)] == before, "nothing is old enough"
    later = written.clock.now() + 1
    Ledger.change(copy, retention.purge, raw_before=0.0, jobs_before=later, people_before=0.0, now=1.0)
    assert ask(copy, histories) == [(0, 0, 0)]
    assert ask(copy, "SELECT value, note, thinned FROM job") == [(None, "", 1)] * 2
    assert [ask(copy, one) for one in kept] == before[:2]
    assert told(copy) == []


@pytest.mark.sqlite  # rows are put there by hand
def test_answers_that_have_the_numbers_of_deleted_ones_are_counted_too(tables: Tables) -> None:
    """Where jobs alone are old enough, and nobody was to be forgotten."""
    for n in (1, 2):
        tables.add(Where("contact", "id"), n, **{**EMPTY, "pulled_at": NOW})
        tables.add(Where("job", "id"), n, contact_id=n, field="email", sync="a", state="done", updated_at=float(n))
        tables.add(Where("result", "id"), n, job_id=n, provider="ann", outcome="not_found", candidates="[]", at=1.0)
    for mark in ("daily_answers", "daily_answers_seen"):
        tables.write(upkeep.set_mark, mark, 2)
    told = tables.write(retention.purge, raw_before=0.0, jobs_before=2.5, people_before=0.0, now=NOW)
    assert (told.histories, told.people) == (2, 0)
    assert tables.raw.execute("SELECT count(*) FROM result").fetchone() == (0,)
    assert tables.read(upkeep.marks, "daily_answers") == {"": 0.0, "_seen": 0.0}


@pytest.mark.sqlite  # rows are put there by hand
@pytest.mark.parametrize(
    ("looked_to", "ended_ago", "then"),
    [(1, 10.0, 2), (None, 10.0, None), (None, DAY - 1, None), (None, DAY, 2), (None, None, 2), (2, 10.0, None)],
)
def test_a_round_that_has_begun_goes_on_and_the_next_one_begins_a_day_after_its_end(
    tables: Tables, looked_to: int | None, ended_ago: float | None, then: int | None
) -> None:
    for n in (1, 2):
        tables.add(Where("contact", "id"), n, **{**EMPTY, "pulled_at": NOW})
    for mark, value in (("people_looked_to", looked_to), ("people_round_ended", ended_ago and NOW - ended_ago)):
        if value is not None:
            tables.write(upkeep.set_mark, mark, value)
    tables.write(retention.purge, raw_before=0.0, jobs_before=0.0, people_before=0.0, now=NOW)
    assert tables.read(upkeep.mark, "people_looked_to") == then
    ended = NOW if looked_to == 2 else ended_ago and NOW - ended_ago
    assert tables.read(upkeep.mark, "people_round_ended") == ended


def test_the_history_of_what_is_under_way_is_kept_however_old_it_is(harness: Harness) -> None:
    ada = harness.person()
    harness.ask()
    purge(harness, jobs=harness.clock.now() + 1)
    assert harness.state(ada) == "sent"
    assert harness.sql("SELECT source, target FROM event WHERE job_id = 1 ORDER BY id") == [
        ("", "queued"), ("queued", "sending"), ("sending", "sent"),
    ]  # fmt: skip


def change(harness: Harness, text: str, *values: float) -> None:
    """As time would have it."""
    connection = sqlite3.connect(harness.path, isolation_level=None)
    connection.execute(text, values)
    connection.close()


# --- people -----------------------------------------------------------------------------------


@pytest.fixture
def gone(build: Build) -> Harness:
    """Somebody was asked about in vain, and then deleted in the CRM; the other one is there still."""
    harness = build(fields={EMAIL: ["ann"]})
    ada = harness.crm.add(ADA)
    harness.person("Bo")
    harness.ask()
    harness.answer_all()
    harness.finish()
    harness.crm.records[ada].gone = True
    return harness


def passes(harness: Harness, before: float, *, days: int = 2) -> int:
    """As many passes as a round takes, on some days; returns how many people went."""
    count = 0
    for _ in range(days):
        harness.clock.time += DAY + 1
        count += sum(purge(harness, people=before).people for _ in range(4))
    return count


def test_whoever_was_not_seen_for_long_is_no_name_any_more(gone: Harness) -> None:
    before = gone.clock.now() + 1
    gone.clock.time += 10 * DAY
    change(gone, "UPDATE contact SET pulled_at = ? WHERE ext_id = '502'", gone.clock.now())
    assert left_of(gone, TRACES) == ["quendolin", "adelheid"]
    assert passes(gone, before) == 1
    purge(gone, raw=gone.clock.now())
    while gone.sql("SELECT 1 FROM meta WHERE key = 'merging_words'"):
        purge(gone)
    assert empty_wal(gone.path)
    assert left_of(gone, TRACES) == []
    assert gone.sql("SELECT ext_id FROM contact WHERE identity <> '{}'") == [("502",)]
    assert gone.sql("SELECT count(*) FROM person_key WHERE contact_id = 1") == [(0,)]
    assert gone.tally("purged_people") == 1
    assert adds_up(gone)


def test_they_are_not_paid_for_twice_should_they_come_back(gone: Harness) -> None:
    """The answer counts for 90 days, and people are kept for ten: a digest of the question is enough."""
    calls = len(gone.submissions())
    before = gone.clock.now() + 1
    gone.clock.time += 10 * DAY
    change(gone, "UPDATE contact SET pulled_at = ? WHERE ext_id = '502'", gone.clock.now())
    passes(gone, before)
    gone.crm.records["501"].gone = False
    gone.crm.edit("501", "note", "back again")
    gone.ask()
    assert gone.sql("SELECT count(*) FROM contact WHERE identity LIKE '%Quendolin%'") == [(1,)]
    gone.verify()
    assert (len(gone.submissions()), gone.state("501")) == (calls, "done")


@pytest.mark.parametrize(
    "why",
    ["UPDATE contact SET pulled_at = 9e9", "UPDATE contact SET pulled_at = 0", "UPDATE job SET updated_at = 9e9"],
    ids=["seen lately", "to be pulled anew", "worked on lately"],
)
def test_others_stay(gone: Harness, why: str) -> None:
    change(gone, why)
    assert passes(gone, gone.clock.now()) == 0


def test_whoever_is_asked_about_stays(harness: Harness) -> None:
    harness.crm.add(ADA)
    harness.ask()
    assert harness.state("501") == "sent"
    assert passes(harness, harness.clock.now() + 100 * DAY) == 0


def test_a_round_looks_at_everybody_once_a_day(gone: Harness) -> None:
    before = gone.clock.now()
    assert gone.sql("SELECT count(*) FROM meta WHERE key LIKE 'people_%'") == [(0,)]
    purge(gone, people=0.0)  # a portion
    purge(gone, people=0.0)  # its end
    ended = gone.sql("SELECT value FROM meta WHERE key = 'people_round_ended'")
    assert ended == [(gone.clock.now(),)]
    assert purge(gone, people=before).people == 0, "not before tomorrow"
    gone.clock.time += DAY + 1
    assert purge(gone, people=before + 10 * DAY).people > 0
