"""The ledger about itself: what it says of damage, what it lets go of, and how a copy takes its place."""

import json
import stat
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from syncd.cli import app
from syncd.ledger import copies, retention, upkeep
from syncd.ledger.file import LedgerError
from syncd.ledger.store import Ledger, Tx, reading
from syncd.ledger.upkeep import BACKWARD, FORWARD, Freeze
from syncd.pipeline.watch import Watch
from tests.places import place_of

from .audit import ask, events_gone, sqlite3
from .by_hand import EMPTY, Tables, Where
from .harness import DAY, SECRET, Harness

pytestmark = pytest.mark.sqlite  # copies, and files that were damaged

VALUE = "ada@acme.example.com"


# --- does it add up? --------------------------------------------------------------------------

DAMAGE = {
    "UPDATE counter SET n = n + 2 WHERE reason = 'written'": "the counter of people email done written is off by 2",
    "UPDATE spend SET charged_mc = 7":
        "the credits of people at ann in the quarter hour from {when} UTC don't add up",
    "UPDATE credit_total SET reserved_mc = 7": "the sum of all credits at ann is not that of its calls",
    events_gone("job_id = 1 AND target = 'done'"): "job 1 is done, but its history ends with writing",
    events_gone("job_id = 1 AND target = 'sent'"): "the history of job 1 has a gap between sending and sent",
    events_gone("job_id = 1 AND source = ''"):
        "the history of job 1 has a gap between its beginning and queued",
    "UPDATE job SET steps = '' WHERE id = 1": "job 1 is done, but has no history",
    "INSERT INTO step SELECT 99, at, 'done', 'sent', '', '', '', NULL, 1 FROM step WHERE id = 1;"
    " UPDATE job SET steps = steps || ',99' WHERE id = 1":
        "a job went from done to sent, which must not happen",
    "UPDATE job SET state = 'queued' WHERE id = 1": "job 1 is queued, but its history ends with done",
    "UPDATE job SET reason = 'cancelled' WHERE id = 1": "the counter of people email done cancelled is off by -1",
    "INSERT INTO job (contact_id, sync, field, state, updated_at)"
    " VALUES (1, 'people', 'x', 'queued', 0)":
        "job 3 is queued, but has no history",
    events_gone("job_id = 2 AND id = 1"): "step 1 of the history has 1 jobs instead of 2",
    "UPDATE job SET state = 'sent', reason = '' WHERE id = 1; UPDATE attempt SET live = 0":
        "job 1 is sent without a live attempt",
    "DELETE FROM write": "job 1 is said to be written without a find or a confirmed write",
    "UPDATE delivery SET submission_id = 'nobody''s' WHERE id = 1":
        "delivery 1 was applied to a call that is not in this ledger",
    "DELETE FROM contact WHERE id = 1": "a row of job refers to a missing row of contact",
}  # fmt: skip

SPEND = "the credits of people at ann in the quarter hour from {when} UTC don't add up"
TOTAL = "the sum of all credits at ann is not that of its calls"
NO_WRITE = "job 1 is said to be written without a find or a confirmed write"
DAMAGE |= {
    **{f"UPDATE spend SET {kind}_mc = {kind}_mc + 1": SPEND for kind in ("reserved", "charged", "assumed", "doubt")},
    **{f"UPDATE spend SET {column} = 7": SPEND for column in ("run_id", "refresh")},
    "UPDATE spend SET field = 'phone'": SPEND,
    "DELETE FROM spend": SPEND,
    **{f"UPDATE credit_total SET {kind}_mc = {kind}_mc + 1": TOTAL for kind in ("charged", "assumed", "doubt")},
    "UPDATE credit_total SET submissions = submissions + 1": TOTAL,
    "DELETE FROM credit_total": TOTAL,
    "UPDATE result SET outcome = 'not_found' WHERE job_id = 1": NO_WRITE,
    "UPDATE write SET state = 'cleared'": NO_WRITE,
    "UPDATE job SET state = 'in_doubt', reason = '' WHERE id = 1; UPDATE attempt SET submission_id = 'another''s'":
        "job 1 is in_doubt without a live attempt",
    "UPDATE counter SET sync = 'others' WHERE reason = 'written'":
        "the counter of people email done written is off by -1",
    "INSERT INTO counter VALUES ('people', 'email', 'review', '', 1)":
        "the counter of people email review  is off by 1",
}  # fmt: skip


@pytest.fixture
def copy(written: Harness, tmp_path: Path) -> Path:
    """A copy of that harness's ledger, to be damaged."""
    copies.back_up(written.path, tmp_path / "copy.db")
    return tmp_path / "copy.db"


def told(path: Path) -> list[str]:
    with reading(place_of(path)) as tx:
        return list(upkeep.problems(path, tx))


def test_a_sound_ledger_has_no_problems(copy: Path) -> None:
    assert told(copy) == []


@pytest.mark.parametrize(("damage", "sentence"), DAMAGE.items(), ids=DAMAGE.values())
def test_whatever_does_not_add_up_is_told_in_a_sentence(
    written: Harness, copy: Path, damage: str, sentence: str
) -> None:
    """Somebody has been at it with another tool."""
    connection = sqlite3.connect(copy)
    connection.executescript(damage)
    connection.close()
    quarter = written.sql("SELECT slot * 900 FROM spend")[0][0]
    assert sentence.format(when=datetime.fromtimestamp(quarter, UTC).strftime("%Y-%m-%d %H:%M")) in told(copy)


def test_a_torn_file_is_told_and_not_restored(copy: Path) -> None:
    ((root,),) = ask(copy, "SELECT rootpage FROM sqlite_schema WHERE name = 'job'")
    ((size,),) = ask(copy, "SELECT page_size FROM pragma_page_size")
    torn = bytearray(copy.read_bytes())
    torn[(root - 1) * size : root * size] = b"\xff" * size
    copy.write_bytes(torn)
    first, *rest = told(copy)
    assert "malformed" not in first, "SQLite's own finding"
    assert "it can't be checked: database disk image is malformed" in rest
    assert "it can't be read to its end: database disk image is malformed" in rest
    with pytest.raises(LedgerError, match="is damaged and was not restored: ") as refused:
        copies.restore(copy, copy.with_name("new.db"), frozen_until=0.0, now=0.0)
    assert first in str(refused.value)
    assert not copy.with_name("new.db").exists()


# --- marks and the clock ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("later", "believed"),
    [(-BACKWARD, True), (-BACKWARD - 1, False), (0.0, True), (FORWARD, True), (FORWARD + 1, False)],
)
def test_what_can_be_the_time_after_the_last_look(harness: Harness, later: float, believed: bool) -> None:
    def tried(tx: Tx) -> bool:
        assert upkeep.in_time(tx, 0.0), "there was no look yet"
        upkeep.set_mark(tx, upkeep.LAST_SEEN, 1e9)
        return upkeep.in_time(tx, 1e9 + later)

    assert harness.run(harness.ledger.write(tried)) is believed


def test_the_clock_may_lag_a_minute_and_be_silent_for_a_week() -> None:
    assert (BACKWARD, FORWARD) == (60.0, 7 * DAY)


def test_a_freeze_is_over_at_its_last_moment(harness: Harness) -> None:
    now = harness.clock.now()
    harness.run(harness.ledger.write(upkeep.set_mark, upkeep.FROZEN_UNTIL, now + 1))
    frozen = harness.run(harness.ledger.read(upkeep.freeze, now=now))
    assert frozen == Freeze(until=now + 1, copied_at=None, waiting=0)
    assert harness.run(harness.ledger.read(upkeep.freeze, now=now + 1)) is None


# --- copies -----------------------------------------------------------------------------------


def test_a_copy_is_for_its_owner_alone_and_never_put_over_something(written: Harness, copy: Path) -> None:
    assert stat.S_IMODE(copy.stat().st_mode) == 0o600
    before = copy.read_bytes()
    with pytest.raises(LedgerError, match=r"copy\.db is there already: name a new file"):
        copies.back_up(written.path, copy)
    assert copy.read_bytes() == before
    with pytest.raises(LedgerError, match=r"copy\.db is the ledger itself"):
        copies.restore(copy, copy, frozen_until=0.0, now=0.0)


def test_a_restored_copy_counts_its_generations_buys_nothing_for_a_while_and_pulls_anew(
    written: Harness, tmp_path: Path
) -> None:
    first, second = tmp_path / "a" / "b" / "first.db", tmp_path / "second.db"
    assert copies.restore(written.path, first, frozen_until=7.0, now=0.0).generation == 1
    assert copies.restore(first, second, frozen_until=8.0, now=0.0).generation == 2
    assert stat.S_IMODE((tmp_path / "a").stat().st_mode) & 0o700 == 0o700
    assert stat.S_IMODE(first.parent.stat().st_mode) == 0o700
    with reading(second) as tx:
        marks = [upkeep.mark(tx, key) for key in (upkeep.GENERATION, upkeep.FROZEN_UNTIL)]
    assert marks == [2, 8]
    assert ask(second, "SELECT cursor, swept_at FROM selection") == [(None, None)]
    assert ask(second, "SELECT DISTINCT pulled_at FROM contact") == [(0.0,)]


def say(path: Path, *words: str, **holds: str) -> str:
    """A command on a ledger whose providers are ann and bob; `holds`: in_doubt.hold of a connection."""
    connectors = {"crm": "{ connector: hubspot, access_token: a%s }", "ann": "{ connector: zeliq, api_key: a%s }"}
    connectors["bob"] = "{ connector: fullenrich, api_key: a%s }"
    rules = {name: f", in_doubt: {{ hold: {holds[name]} }}" if name in holds else "" for name in connectors}
    config = path.with_name("config.yaml")
    config.write_text(
        f'ledger: {{ path: "{path}" }}\n'
        f'callbacks: {{ public_url: "https://enrich.example.com", secrets: ["{SECRET}"] }}\nconnections:\n'
        + "".join(f"  {name}: {text % rules[name]}\n" for name, text in connectors.items())
        + "syncs: [{ name: people, crm: crm, object: contacts, every: 1h, fields: { email: { providers: [ann] } } }]\n"
    )
    done = CliRunner().invoke(app, [*words, "-c", str(config)])
    assert done.exit_code == 0, (done.output, done.exception)
    return done.stdout


@pytest.mark.parametrize(
    ("holds", "hours"),
    [
        ({"ann": "4h", "bob": "1h"}, 4),
        ({"ann": "1h", "bob": "30h"}, 30),
        ({"crm": "400h", "ann": "4h", "bob": "4h"}, 4),
    ],
)
def test_l24_a_restored_copy_waits_for_the_longest_hold_of_its_providers(
    written: Harness, tmp_path: Path, holds: dict[str, str], hours: float
) -> None:
    copies.back_up(written.path, tmp_path / "copy.db")
    target = tmp_path / "new.db"
    before = time.time()
    say(target, "restore", str(tmp_path / "copy.db"), **holds)
    with reading(target) as tx:
        until = upkeep.mark(tx, upkeep.FROZEN_UNTIL)
    assert until is not None
    assert before + hours * 3600 <= until <= time.time() + hours * 3600


def test_l24_thaw_says_what_it_would_mean_and_does_it_only_when_told_to(written: Harness, tmp_path: Path) -> None:
    copies.back_up(written.path, tmp_path / "copy.db")
    target = tmp_path / "new.db"
    say(target, "restore", str(tmp_path / "copy.db"), ann="4h", bob="1h")
    told = say(target, "thaw")
    assert "nothing is bought before" in told
    assert "would be paid a second time" in told
    frozen = json.loads(say(target, "thaw", "--json"))
    assert (frozen["thawed"], frozen["frozen"]["until"] > time.time()) == (False, True)
    assert "Buying goes on." in say(target, "thaw", "--yes")
    assert "Nothing is frozen." in say(target, "thaw", "--yes")
    assert json.loads(say(target, "thaw", "--yes", "--json")) == {"frozen": None, "thawed": False}


def test_l24_a_running_daemon_takes_up_a_thaw_at_its_next_look(harness: Harness) -> None:
    now = harness.clock.now()
    harness.run(harness.ledger.write(upkeep.set_mark, upkeep.FROZEN_UNTIL, now + DAY))
    look = Watch()
    harness.run(look.run_once(harness.parts))
    assert "restored from a copy: nothing is bought for 24 h," in harness.parts.gate.why("people")
    harness.clock.time += DAY - 1200
    harness.run(look.run_once(harness.parts))
    assert "nothing is bought for 20 min," in harness.parts.gate.why("people")
    Ledger.change(place_of(harness.path), upkeep.thaw)  # from another process
    harness.clock.time += 10
    harness.run(look.run_once(harness.parts))
    assert harness.parts.gate.why("people") == ""
    assert harness.tally("thawed_by_hand") == 1


# --- what is done a little at a time ------------------------------------------------------------------


WAITING = (
    "INSERT INTO job (id, contact_id, sync, field, state, due_at, updated_at) VALUES (?, ?, 'a', 'email', ?, ?, 1)"
)


def test_what_waits_is_taken_up_once_it_is_due_at_most_so_much_at_once(tables: Tables) -> None:
    for n in range(1, 511):
        state, due = ("queued", 1.0) if n == 510 else ("waiting", 5.0 if n < 509 else 5.1)
        tables.raw.execute(WAITING, (n, n, state, due))
    tables.raw.commit()
    found = [row[0] for row in tables.read(lambda tx: tx.rows("jobs_due", now=5.0))]
    assert len(found) == 500
    assert set(found) <= set(range(1, 509))
    tables.raw.execute("DELETE FROM job WHERE id < 500")
    tables.raw.commit()
    assert sorted(row[0] for row in tables.read(lambda tx: tx.rows("jobs_due", now=5.0))) == list(range(500, 509))


def test_a_thousandth_of_a_credit_adds_up_whatever_has_become_of_it(tables: Tables) -> None:
    """Reserved, in doubt, charged, taken as charged, and given back; of one field, or of two."""
    for n, (state, charged, assumed, reserved) in enumerate(
        (
            ("in_doubt", None, 0, 1),
            ("settled", 1, 0, 0),
            ("expired", None, 1, 0),
            ("settled", 0, 0, 0),
            ("sent", None, 0, 1),
        )
    ):
        for shares in ('{"email": 1}', '{"email": 1, "phone": 0}'):
            row = {
                "state": "intent",
                "reserved_mc": 1,
                "shares": shares,
                "run_id": 1,
                "refresh": n % 2,
                "created_at": 1.0,
            }
            call = f"s{n}{len(shares)}"
            tables.add(Where("submission", "id"), call, provider="ann", sync=f"s{n}", **row)
            values = (state, charged, assumed, reserved, call)
            changed = "UPDATE submission SET state = ?, charged_mc = ?, assumed_mc = ?, reserved_mc = ? WHERE id = ?"
            tables.raw.execute(changed, values)
    tables.raw.commit()
    for name in ("check_spend", "check_shares", "check_totals"):
        assert tables.read(lambda tx, name=name: [tuple(row) for row in tx.rows(name)]) == []
    tables.raw.execute("UPDATE submission SET shares = '{\"email\": 2}' WHERE id = 's112'")
    tables.raw.commit()
    assert tables.read(lambda tx: [row[0] for row in tx.rows("check_shares")]) == ["s112"]


BEFORE, LONG_AGO = 50.0, 49.0


@pytest.mark.parametrize(
    ("contact", "jobs", "goes"),
    [
        ({}, [], True),
        ({"pulled_at": BEFORE}, [], False),
        ({"pulled_at": 0.0}, [], False),
        ({"identity": "{}"}, [], False),
        ({}, [("done", LONG_AGO)], True),
        ({}, [("done", BEFORE)], False),
        ({}, [("done", LONG_AGO), ("done", BEFORE + 1)], False),
        ({}, [("review", LONG_AGO)], False),
        ({}, [("done", LONG_AGO), ("queued", LONG_AGO)], False),
    ],
)
def test_who_was_not_seen_and_not_asked_about_for_long_is_let_go_of(
    tables: Tables, contact: dict[str, Any], jobs: list[tuple[str, float]], goes: bool
) -> None:
    """What another one waits for keeps nobody."""
    known = {**EMPTY, "pulled_at": LONG_AGO, "identity": '{"ln":"Stone"}'}
    tables.add(Where("contact", "ext_id"), "e7", id=7, **{**known, **contact})
    tables.add(Where("contact", "ext_id"), "e8", id=8, **{**known, "pulled_at": 99.0})
    for n, (state, at) in enumerate([*jobs], 1):
        tables.add(Where("job", "id"), n, contact_id=7, field=f"f{n}", sync="a", state=state, updated_at=at)
    tables.add(Where("job", "id"), 9, contact_id=8, field="email", sync="a", state="queued", updated_at=99.0)

    def found(after: int, until: int) -> list[int]:
        given = {"after": after, "until": until, "before": BEFORE}
        return [row["id"] for row in tables.read(lambda tx: tx.rows("people_to_thin", **given))]

    assert found(6, 8) == found(6, 7) == ([7] if goes else [])
    assert found(7, 8) == found(0, 6) == []
    tables.write(upkeep.set_mark, retention.ROUND_ENDED, 99.5 - DAY)
    purged = tables.write(retention.purge, raw_before=0.0, jobs_before=0.0, people_before=BEFORE, now=99.0)
    assert purged.people == 0, "a round begins a day after the last one has ended"
    tables.write(upkeep.set_mark, retention.ROUND_ENDED, 99.0 - DAY)
    purged = tables.write(retention.purge, raw_before=0.0, jobs_before=0.0, people_before=BEFORE, now=99.0)
    assert purged.people == int(goes)
    left = tables.rows(Where("contact", "id"), ["identity"])
    assert (left[7] == [("{}",)]) is (goes or contact.get("identity") == "{}")
    assert left[8] != [("{}",)]


def test_of_a_person_who_is_let_go_of_nothing_stays_but_whose_record_it_was(tables: Tables) -> None:
    given = {"identity": '{"ln":"Stone"}', "vague": '["x"]', "namesakes": 1, "learned": "p", "fingerprint": 5}
    for n in (1, 2):
        row = {**EMPTY, **given, "connection": "crm", "object": "o", "person": "p", "revision": 7}
        tables.add(Where("contact", "ext_id"), f"e{n}", id=n, **row)
        tables.add(Where("person_key", "contact_id"), n, key=n)
        tables.add(
            Where("job", "id"), n, contact_id=n, field="email", sync="a", state="done", value="v", note="n", steps=",1"
        )
        tables.add(Where("attempt", "job_id"), n, submission_id="s", provider="ann", asked="{1}", question=n)
    tables.add(Where("step", "id"), 1, jobs=2)
    tables.write(retention._thin_people, [1])
    columns = ["person", "identity", "vague", "namesakes", "learned", "fingerprint", "revision", "ext_id"]
    kept = ("p", *given.values(), 7, "e2")
    assert tables.rows(Where("contact", "id"), columns) == {1: [("1", "{}", "[]", 0, None, None, 0, "e1")], 2: [kept]}
    assert [*tables.rows(Where("person_key", "contact_id"))] == [2]
    assert tables.rows(Where("job", "id"), ["value", "note", "thinned"]) == {1: [(None, "", 1)], 2: [("v", "n", 0)]}
    asked = tables.rows(Where("attempt", "job_id"), ["asked", "question"])
    assert asked == {1: [("{}", 1)], 2: [("{1}", 2)]}, "the digest stays: the same question is not paid twice"
    assert tables.rows(Where("step", "id"), ["jobs"]) == {1: [(1,)]}


@pytest.mark.parametrize(("name", "table"), [("refresh_portion_end", "job"), ("people_portion_end", "contact")])
def test_a_round_goes_on_behind_the_last_portion(tables: Tables, name: str, table: str) -> None:
    for n in (2, 3, 7, 9):
        given = {"state": "done", "sync": "a", "field": "email", "contact_id": n} if table == "job" else EMPTY
        tables.add(Where(table, "id"), n, **given)

    def last(after: int, limit: int) -> int | None:
        found: int | None = tables.read(lambda tx: tx.value(name, after=after, limit=limit))
        return found

    assert (last(0, 2), last(3, 1), last(3, 9), last(2, 2), last(9, 9)) == (3, 7, 9, 7, None)


@pytest.mark.parametrize(
    ("states", "waiting"), [(["queued"], 3), (["waiting"], 3), (["queued", "waiting"], 6), (["sent"], 0)]
)
def test_a_restored_ledger_says_how_many_wait_to_be_asked_about(
    tables: Tables, states: list[str], waiting: int
) -> None:
    assert tables.read(upkeep.freeze, now=1.0) is None
    tables.write(upkeep.set_mark, upkeep.FROZEN_UNTIL, 9.0)
    for state in (*states, "done"):
        for n, sync in ((1, "a"), (2, "b")):
            tables.add(Where("counter", "sync"), sync, field="email", state=state, reason="", n=n)
    told = tables.read(upkeep.freeze, now=1.0)
    assert told == Freeze(until=9.0, copied_at=None, waiting=waiting)
    assert tables.read(upkeep.freeze, now=9.0) is None


@pytest.mark.parametrize(
    "name",
    ["check_shares", "check_events", "check_steps", "check_chain", "check_histories", "check_flight", "check_written",
     "check_acknowledged"],
)  # fmt: skip
@pytest.mark.parametrize("wrong", [2, 21])
def test_of_each_kind_of_damage_twenty_are_told_at_most(tables: Tables, name: str, wrong: int) -> None:
    for n in range(1, wrong + 1):
        state = "sent" if name == "check_flight" else "done"
        job = {"contact_id": n, "field": "email", "sync": "a", "state": state, "reason": "written", "value": "v"}
        tables.add(Where("job", "id"), n, **job)
        tables.add(Where("delivery", "id"), n, submission_id="nobody's", state="applied", body=b"", digest=n)
        call = {
            "provider": "ann",
            "sync": "a",
            "run_id": 1,
            "created_at": 1.0,
            "reserved_mc": 3,
            "shares": '{"email": 2}',
        }
        tables.add(Where("submission", "id"), f"s{n}", state="settled", **call)
        if name != "check_histories":
            tables.add(Where("step", "id"), n, source="queued", target="sent", jobs=2)
            tables.raw.execute("UPDATE job SET steps = ',' || id WHERE id = ?", [n])
            tables.raw.commit()
    found = tables.read(lambda tx: tx.rows(name))
    assert len(found) == min(wrong, 20)


def test_only_an_answer_that_was_taken_has_to_belong_to_a_call(tables: Tables) -> None:
    for n, (state, call) in enumerate((("applied", "s"), ("quarantined", "t"), ("received", "t"), ("applied", "t")), 1):
        tables.add(Where("delivery", "id"), n, submission_id=call, state=state, body=b"", digest=n)
    tables.add(Where("submission", "id"), "s", provider="ann", state="settled", run_id=1, shares="{}", created_at=1.0)
    assert tables.read(lambda tx: [row[0] for row in tx.rows("check_acknowledged")]) == [4]
