"""Statements that choose, sum or move many rows, against the same in Python over random rows."""

from __future__ import annotations

import itertools
import json
import random
from collections.abc import Iterator, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from syncd.contract.model import ContactRef, Field
from syncd.ledger import breakers, budgets, candidates, gates, pauses, reports, submissions, undos, upkeep, writes
from syncd.ledger.budgets import SLOT, Budget
from syncd.ledger.candidates import Asked
from syncd.ledger.claims import Owner
from syncd.ledger.inbox import UNSIGNED
from syncd.ledger.results import Since
from syncd.ledger.states import JobState
from syncd.ledger.store import Tx
from syncd.ledger.undos import Wanted

from .by_hand import Tables, Where

pytestmark = pytest.mark.sqlite

NOW = 1_790_000_000.0
DAY = 86_400.0
SEEDS = range(4)
SYNCS, PROVIDERS, FIELDS = ("a", "b"), ("ann", "bob"), (Field.EMAIL, Field.PHONE)
EMPTY = {"vague": "[]", "opt_out": "{}", "blocked": "{}", "lacks": "[]", "identity": "{}"}


@pytest.fixture
def tables(tmp_path: Path) -> Iterator[Tables]:
    tables = Tables(tmp_path / "ledger.db")
    yield tables
    tables.close()


# --- credits ------------------------------------------------------------------------------------------

SCOPES: list[dict[str, Any]] = [
    {},
    {"syncs": frozenset({"a"})},
    {"syncs": frozenset({"b"}), "refresh": True},
    {"providers": frozenset({"ann"})},
    {"fields": frozenset({Field.PHONE})},
    {"syncs": frozenset({"a", "b"}), "providers": frozenset({"bob"}), "fields": frozenset({Field.EMAIL})},
    {"refresh": True},
]
KINDS = ("charged_mc", "reserved_mc", "assumed_mc")


@pytest.mark.parametrize("scope", SCOPES)
@pytest.mark.parametrize("window", ["day", "month", "run"])
def test_credits_are_summed_in_a_budgets_scope_and_window(tables: Tables, scope: dict[str, Any], window: str) -> None:
    rng = random.Random(f"{scope} {window}")
    spend = Where("spend", "provider")
    midnight = NOW // DAY * DAY
    newest = {"a": 2, "b": 3}  # of the runs that follow
    for id_, (sync, started) in enumerate((("a", 10.0), ("a", 20.0), ("b", 5.0)), 1):
        tables.add(Where("run", "sync"), sync, id=id_, started_at=started)
    for sync in SYNCS:
        tables.add(Where("sync", "name"), sync)
    rows: list[dict[str, Any]] = []
    for sync, provider, field, refresh in itertools.product(SYNCS, PROVIDERS, FIELDS, (0, 1)):
        for ago in (0, 1, 2, 29 * 96, 29 * 96 + 1, 29 * 96 - 1, 96, 95, 94):
            slot = int(midnight // SLOT) + 1 - ago
            row: dict[str, Any] = {
                "slot": slot,
                "sync": sync,
                "field": field,
                "refresh": refresh,
                "run_id": rng.randint(1, 3),
            }
            row |= {kind: rng.randint(0, 9) for kind in (*KINDS, "doubt_mc")}
            tables.add(spend, provider, **row)
            rows.append({**row, "provider": provider})
    budget = Budget(per_day=Decimal(9), per_month=Decimal(9), per_run=Decimal(9), **scope)
    first = {"day": midnight, "month": midnight - 29 * DAY}.get(window, 0.0)

    def counts(row: dict[str, Any]) -> bool:
        if window == "run":
            inside = row["run_id"] in {newest[sync] for sync in (budget.syncs or SYNCS)}
        else:
            inside = row["slot"] * SLOT >= first and (budget.syncs is None or row["sync"] in budget.syncs)
        at_one = budget.providers is None or row["provider"] in budget.providers
        of_one = budget.fields is None or row["field"] in budget.fields
        return inside and at_one and of_one and bool(row["refresh"] >= budget.refresh)

    counted = [row for row in rows if counts(row)]
    (told,) = (one for one in tables.read(budgets.report, [budget], now=NOW) if one["window"] == window)
    for kind in KINDS:
        assert told[kind.removesuffix("_mc")] == sum(row[kind] for row in counted) / 1000
    used = sum(row[kind] for row in counted for kind in KINDS)
    assert told["used"] == pytest.approx(used / 1000)
    assert tables.read(budget.exceeded, 9_000 - used, now=NOW) != window
    assert tables.read(Budget(**{**_capped(window), **scope}).exceeded, 9_001 - used, now=NOW) == window
    if window == "run":
        assert told["since"] == min({"a": 20.0, "b": 5.0}[sync] for sync in (budget.syncs or SYNCS))


@pytest.mark.parametrize("window", ["day", "month", "run"])
def test_where_nothing_was_spent_all_of_a_budget_is_left(tables: Tables, window: str) -> None:
    budget = Budget(**_capped(window))
    (told,) = tables.read(budgets.report, [budget], now=NOW)
    assert {told[kind] for kind in ("charged", "reserved", "assumed", "used")} == {0.0}
    assert (told["left"], told["reached"]) == (9.0, False)
    assert tables.read(budget.exceeded, 9_000, now=NOW) is None
    assert tables.read(budget.exceeded, 9_001, now=NOW) == window


def _capped(window: str) -> dict[str, Any]:
    return {f"per_{window}": Decimal(9)}


# --- what stops a call --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("row", "stops"),
    [
        (("gate", {"sync": "", "owner": 0, "watch": "disk"}), True),
        (("gate", {"sync": "", "owner": 7, "watch": "disk"}), True),
        (("gate", {"sync": "", "owner": 8, "watch": "disk"}), False),
        (("gate", {"sync": "a", "owner": 0, "watch": "rights"}), True),
        (("gate", {"sync": "b", "owner": 0, "watch": "rights"}), False),
        (("connection", {"name": "ann", "trouble": "credits"}), True),
        (("connection", {"name": "crm", "trouble": "credentials"}), True),
        (("connection", {"name": "bob", "trouble": "credits"}), False),
        (("connection", {"name": "ann", "trouble": ""}), False),
        (("breaker", {"connection": "ann", "why": "no answer", "trial": 0}), True),
        (("breaker", {"connection": "ann", "why": "no answer", "trial": 1}), True),
        (("breaker", {"connection": "ann", "why": "", "trial": 0}), False),
        (("breaker", {"connection": "bob", "why": "no answer", "trial": 0}), False),
        (("pause", {"kind": "all", "name": "", "until": None}), True),
        (("pause", {"kind": "sync", "name": "a", "until": NOW + 1}), True),
        (("pause", {"kind": "sync", "name": "a", "until": NOW}), False),
        (("pause", {"kind": "sync", "name": "b", "until": None}), False),
        (("pause", {"kind": "sync", "name": "ann", "until": None}), False),
        (("pause", {"kind": "provider", "name": "ann", "until": None}), True),
        (("pause", {"kind": "provider", "name": "bob", "until": None}), False),
        (("pause", {"kind": "provider", "name": "a", "until": None}), False),
    ],
)
def test_what_stops_a_call(tables: Tables, row: tuple[str, dict[str, Any]], stops: bool) -> None:
    """Of sync a, whose CRM is crm, at the provider ann, by process 7."""
    table, values = row
    name = "name" if table in ("connection", "pause") else "connection" if table == "breaker" else "watch"
    tables.add(Where(table, name), values[name], **values)
    assert _is_stopped(tables) is stops


def _is_stopped(tables: Tables) -> bool:
    try:
        tables.read(gates.require_open, Owner(id=7), sync="a", provider="ann", crm="crm", now=NOW)
    except gates.Shut:
        return True
    return False


@pytest.mark.parametrize(
    ("claim", "stops"),
    [
        ({"kind": "connection", "item": "ann", "owner": 7}, False),
        ({"kind": "connection", "item": "ann", "owner": 8}, True),
        ({"kind": "connection", "item": "bob", "owner": 7}, True),
        ({"kind": "job", "item": "ann", "owner": 7}, True),
    ],
)
@pytest.mark.parametrize("trial", [0, 1])
def test_one_trying_call_is_made_by_whoever_holds_the_connection(
    tables: Tables, claim: dict[str, Any], trial: int, stops: bool
) -> None:
    tables.add(Where("breaker", "connection"), "ann", why="no answer", trial=trial)
    tables.add(Where("claim", "kind"), claim["kind"], **claim)
    assert _is_stopped(tables) is (stops or not trial)


def test_a_pause_that_is_renewed_began_when_it_first_did_unless_it_was_over(tables: Tables) -> None:
    def pause(until: float | None, now: float, why: str) -> tuple[Any, ...]:
        values = {"kind": "sync", "name": "a", "why": why, "by": why, "until": until}
        tables.write(lambda tx: tx.run("pause_set", **values, now=now))
        return tables.rows(Where("pause", "name"), ["why", "since", "until", "by"])["a"][0]

    assert pause(10.0, 1.0, "x") == ("x", 1.0, 10.0, "x")
    assert pause(None, 2.0, "y") == ("y", 1.0, None, "y")
    assert pause(20.0, 3.0, "z") == ("z", 1.0, 20.0, "z")
    assert pause(30.0, 20.0, "x") == ("x", 20.0, 30.0, "x"), "it was over by then"
    assert tables.read(pauses.in_force, now=30.0) == []


def test_which_pauses_are_in_force(tables: Tables) -> None:
    told = {("sync", "b"): None, ("sync", "a"): 6.0, ("provider", "ann"): 5.0, ("all", ""): None}
    for (kind, name), until in told.items():
        tables.add(Where("pause", "kind"), kind, name=name, until=until)
    assert [(one.kind, one.name) for one in tables.read(pauses.in_force, now=5.0)] == [
        ("all", ""), ("sync", "a"), ("sync", "b"),
    ]  # fmt: skip


# --- a step of the clock ------------------------------------------------------------------------------


@pytest.mark.parametrize("by", [-500.0, 500.0])
def test_what_a_step_of_the_clock_moves(tables: Tables, by: float) -> None:
    """Forward, what it alone made due is due later; back, all that it put off is due as soon as before."""
    before, now = NOW, NOW + by
    moments = [NOW - 1, NOW, NOW + 1, NOW + 500, NOW + 501, NOW + 9_000]
    jobs = list(itertools.product(JobState, moments))
    for id_, (state, due) in enumerate(jobs, 1):
        tables.add(Where("job", "field"), "email", id=id_, contact_id=id_, state=state, due_at=due)
        tables.add(Where("again", "job_id"), id_, at=due)
    for n, due in enumerate(moments):
        tables.add(Where("connection", "name"), f"c{n}", blocked_until=due)
    tables.write(upkeep.set_mark, upkeep.STEPPED, 1.0)
    tables.write(upkeep.go_on_after_step, by, before, now=now)

    def moved(due: float) -> float:
        return due + by if due > before and (by < 0 or due <= before + by) else due

    waits = {JobState.WAITING, JobState.REVIEW, JobState.ACCEPTED, JobState.WRITING}
    found = dict(tables.raw.execute("SELECT id, due_at FROM job"))
    assert found == {n: moved(due) if state in waits else due for n, (state, due) in enumerate(jobs, 1)}
    found = dict(tables.raw.execute("SELECT job_id, at FROM again"))
    assert found == {n: moved(due) for n, (_, due) in enumerate(jobs, 1)}
    found = dict(tables.raw.execute("SELECT name, blocked_until FROM connection"))
    assert found == {f"c{n}": due + by if due > before else due for n, due in enumerate(moments)}


@pytest.mark.parametrize("by", [-500.0, 500.0])
def test_an_open_call_has_as_long_as_before_a_step_of_the_clock(tables: Tables, by: float) -> None:
    now = NOW + by
    moments = [NOW, NOW + 1, NOW + 400, NOW + 5_000, NOW + 90_000]
    calls = list(itertools.product(("intent", "accepted", "in_doubt", "settled", "expired"), moments))
    for n, (state, deadline) in enumerate(calls):
        tables.add(Where("submission", "id"), f"s{n}", state=state, deadline=deadline, shares="{}")
    tables.write(upkeep.set_mark, upkeep.STEPPED, 1.0)
    tables.write(upkeep.go_on_after_step, by, NOW, now=now)
    least = now + upkeep.AT_LEAST

    def moved(state: str, deadline: float) -> float:
        if state not in ("accepted", "in_doubt") or deadline <= NOW:
            return deadline
        return min(max(deadline, deadline + by), max(deadline + by, least))

    found = dict(tables.raw.execute("SELECT id, deadline FROM submission"))
    assert found == {f"s{n}": moved(*call) for n, call in enumerate(calls)}


# --- what may be put back -----------------------------------------------------------------------------


@pytest.mark.parametrize("seed", SEEDS)
def test_the_written_values_that_fit_are_found_in_both_ways(tables: Tables, seed: int) -> None:
    """By contact and by run; each property by itself, the newest first, with what it has covered."""
    rng = random.Random(seed)
    wanted = _some_writes(tables, rng)
    runs, moments = [None, 1, 2, 3], [None, 10.0, 20.0, 25.0, 30.0]
    for run, sync, since, until in itertools.product(runs, (None, *SYNCS), moments, moments):
        fits = [
            row for row in wanted
            if (run is None or row["run_id"] == run) and (sync is None or row["sync"] == sync)
            and (since is None or row["at"] >= since) and (until is None or row["at"] < until)
        ]  # fmt: skip
        heads: dict[tuple[int, str], int] = {}
        for row in sorted(fits, key=lambda row: -row["id"]):
            heads.setdefault((row["job"], row["property"]), row["id"])
        narrow: dict[str, Any] = {"run": run, "sync": sync, "since": since, "until": until}
        found = tables.read(undos.find, Wanted(**narrow))
        assert {(one.job_id, one.property): one.writes[0] for one in found} == heads
        for contact in (1, 2):
            ref = ContactRef(connection="crm", object="contacts", id=f"e{contact}")
            mine = tables.read(undos.find, Wanted(contact=ref, **narrow))
            assert mine == [one for one in found if one.contact_id == contact]


def _some_writes(tables: Tables, rng: random.Random) -> list[dict[str, Any]]:
    """Three runs of two syncs; returns the writes that may be put back."""
    for id_, sync in enumerate(("a", "b", "a"), 1):
        tables.add(Where("run", "sync"), sync, id=id_, started_at=10.0 * id_)
    wanted = []
    write = 0
    for contact in (1, 2):
        given = {**EMPTY, "connection": "crm", "object": "contacts", "sync": "a", "revision": 1, "pulled_at": 0.0}
        tables.add(Where("contact", "ext_id"), f"e{contact}", id=contact, **given)
        for n, (field, sync) in enumerate(zip(FIELDS, rng.sample(SYNCS, 2), strict=True)):
            job = contact * 10 + n
            tables.add(Where("job", "field"), field, id=job, contact_id=contact, sync=sync, state="done")
            for _ in range(6):
                write += 1
                state, put_back = rng.choice(["written", "written", "cleared"]), rng.choice(["", "", "kept", "undone"])
                row: dict[str, Any] = {
                    "id": write,
                    "state": state,
                    "run_id": rng.randint(1, 3),
                    "property": rng.choice("xy"),
                }
                row["at"] = float(10 * row["run_id"] + rng.choice((0, 5)))
                tables.add(Where("write", "job_id"), job, **row, seen="", before="b", after="a")
                if put_back:
                    tables.add(
                        Where("undo", "state"), put_back, write_id=write, run_id=1, contact_id=contact, job_id=job
                    )
                if state == "written" and put_back != "undone":
                    wanted.append({**row, "job": job, "sync": sync})
    return wanted


@pytest.mark.parametrize(("state", "later"), [("written", True), ("cleared", False), ("intent", False)])
@pytest.mark.parametrize("put_back", ["", "kept", "asked", "intent", "undone"])
def test_a_later_value_of_ours_stands_until_it_is_put_back(
    tables: Tables, state: str, later: bool, put_back: str
) -> None:
    given = {**EMPTY, "connection": "crm", "object": "contacts"}
    tables.add(Where("contact", "ext_id"), "e1", id=1, **given)
    tables.add(Where("job", "field"), "email", id=1, contact_id=1, sync="a", state="done")
    for id_, one, run in ((1, "written", 1), (2, state, 2)):
        tables.add(Where("write", "job_id"), 1, id=id_, state=one, run_id=run, property="x", at=1.0)
    if put_back:
        tables.add(Where("undo", "state"), put_back, write_id=2, run_id=1, contact_id=1, job_id=1)
    (first,) = tables.read(undos.find, Wanted(run=1))
    stands = later and put_back not in ("asked", "intent", "undone")
    assert bool(first.why_not) is stands
    ref = ContactRef(connection="crm", object="contacts", id="e1")
    assert tables.read(undos.find, Wanted(run=1, contact=ref)) == [first]


# --- what is to be written ----------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(12))
def test_what_is_due_to_be_written_is_found_and_counted_alike(tables: Tables, seed: int) -> None:
    """Of records that nobody holds, where no write of another field is open and nothing is being put back."""
    rng = random.Random(seed)
    jobs: list[dict[str, Any]] = []
    held, undone = {n for n in range(1, 13) if rng.random() < 0.2}, {n for n in range(1, 13) if rng.random() < 0.2}
    for contact, field in itertools.product(range(1, 13), FIELDS):
        state = rng.choice([JobState.ACCEPTED, JobState.WRITING, JobState.DONE, JobState.ANSWERED])
        row = {"id": len(jobs) + 1, "contact_id": contact, "state": state, "sync": rng.choice(SYNCS)}
        row |= {"due_at": NOW + rng.choice((-5, -1, 0, 1, 5)), "updated_at": float(rng.randint(1, 9))}
        row["destination"] = rng.choice(["", "mobile"]) if field is Field.PHONE else ""
        tables.add(Where("job", "field"), field, **row)
        jobs.append({**row, "field": field})
    for contact in held:
        tables.add(Where("claim", "kind"), "record", item=str(contact))
    for contact in set(range(1, 13)) - held:
        tables.add(Where("claim", "kind"), "contact", item=str(contact))
    for contact in range(1, 13):
        tables.add(
            Where("undo", "state"), "intent" if contact in undone else "asked", contact_id=contact, job_id=contact
        )

    def is_due(job: dict[str, Any]) -> bool:
        others = [one for one in jobs if one["contact_id"] == job["contact_id"]]
        blocked = any(one["state"] is JobState.WRITING and one["due_at"] > NOW for one in others)
        mine = job["state"] is JobState.WRITING or (job["state"] is JobState.ACCEPTED and not blocked)
        return mine and job["due_at"] <= NOW and job["contact_id"] not in held | undone and job["sync"] == "a"

    due = sorted(filter(is_due, jobs), key=lambda job: (job["due_at"], job["id"]))
    found = tables.read(writes.due, "a", 50, now=NOW)
    assert [(one.job_id, one.contact_id, one.state, one.field) for one in found] == [
        (job["id"], job["contact_id"], job["state"], Field(job["destination"] or job["field"])) for job in due
    ]
    assert tables.read(writes.due, "a", 1, now=NOW) == found[:1]
    told = tables.read(writes.waiting, "a", 50, now=NOW)
    assert told.records == len({job["contact_id"] for job in due})
    if due:
        assert told.since == min(job["updated_at"] for job in due)
        assert told.begun is any(job["state"] is JobState.WRITING for job in due)
        assert tables.read(writes.waiting, "a", 1, now=NOW).records == 1


# --- values that are old ------------------------------------------------------------------------------

OLD = NOW - 30 * DAY


@pytest.mark.parametrize(
    ("job", "write", "result", "is_old"),
    [
        ({}, {}, OLD, True),
        ({}, {}, None, True),
        ({}, {}, OLD + 1, False),
        ({}, {"at": OLD + 1, "done_at": OLD}, OLD, True),
        ({}, {"at": OLD, "done_at": OLD + 1}, OLD, False),
        ({}, {"at": OLD + 1, "done_at": None}, OLD, False),
        ({}, {"state": "cleared"}, OLD, False),
        ({"state": "answered", "reason": ""}, {}, OLD, False),
        ({"reason": "outdated"}, {}, OLD, False),
        ({"sync": "b"}, {}, OLD, False),
        ({"field": "phone"}, {}, OLD, False),
        ({"value": None}, {}, OLD, False),
    ],
)
def test_which_values_are_old(
    tables: Tables, job: dict[str, Any], write: dict[str, Any], result: float | None, is_old: bool
) -> None:
    tables.add(Where("contact", "ext_id"), "e1", id=1, **EMPTY)
    of_job = {"field": "email", "state": "done", "reason": "written", "sync": "a", "value": "x", **job}
    tables.add(Where("job", "contact_id"), 1, id=7, **of_job)
    of_write = {"state": "written", "at": OLD, "done_at": OLD, **write}
    tables.add(Where("write", "job_id"), 7, **of_write)
    if result is not None:
        tables.add(Where("result", "job_id"), 7, at=result)
    ages = json.dumps([["a", "email", OLD]])

    def due(tx: Any, after: int, until: int) -> Sequence[Any]:
        return [row["id"] for row in tx.rows("refresh_due", ages=ages, after=after, until=until)]

    assert tables.read(due, 6, 7) == ([7] if is_old else [])
    assert tables.read(due, 7, 9) == tables.read(due, 0, 6) == []


# --- whom to ask --------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", SEEDS)
def test_whose_turn_it_is_at_a_provider(tables: Tables, seed: int) -> None:
    """Queued, seen in the CRM, held by nobody: by priority, then age."""
    rng = random.Random(seed)
    jobs: list[dict[str, Any]] = []
    for n in range(1, 60):
        contact: dict[str, Any] = {"pulled_at": rng.choice((0.0, 1.0, 2.0))}
        tables.add(Where("contact", "ext_id"), f"e{n}", id=n, **EMPTY, **contact)
        job: dict[str, Any] = {
            "sync": rng.choice("aab"),
            "provider": rng.choice(("ann", "ann", "bob")),
            "priority": rng.randint(-1, 2),
        }
        job |= {"state": rng.choice(("queued", "queued", "waiting")), "field": rng.choice(FIELDS)}
        tables.add(Where("job", "id"), n, contact_id=n, **job)
        claim = rng.choice(("", "", "job", "contact"))
        if claim:
            tables.add(Where("claim", "kind"), claim, item=str(n))
        jobs.append({**contact, **job, "id": n, "held": claim == "job"})
    for fields, (least, most), limit in itertools.product(
        (None, [Field.PHONE], list(FIELDS)), ((0, 99), (-1, -1), (1, 1), (0, 1)), (1, 4, 100)
    ):
        wanted = [
            job for job in jobs
            if job["sync"] == "a" and job["provider"] == "ann" and job["state"] == "queued" and job["pulled_at"] > 0
            and not job["held"] and least <= job["priority"] <= most and (fields is None or job["field"] in fields)
        ]  # fmt: skip
        wanted.sort(key=lambda job: (-job["priority"], job["id"]))
        found = tables.read(candidates.waiting, "a", "ann", limit, fields=fields, at_least=least, at_most=most)
        assert found == [job["id"] for job in wanted][:limit]


JOB: dict[str, Any] = {
    "sync": "a", "provider": "ann", "round": 2, "priority": 0, "state": "sending", "field": "email", "person": "p",
}  # fmt: skip


@pytest.mark.parametrize(
    ("job", "contact", "others", "by_person", "wanted"),
    [
        ({}, {}, [], True, True),
        ({"provider": "bob"}, {}, [], True, False),
        ({"round": 1}, {}, [], True, False),
        ({"sync": "b"}, {}, [], True, False),
        ({}, {"lacks": '["phone"]'}, [], True, False),
        ({"priority": 1}, {"lacks": '["phone"]'}, [], True, False),
        ({"priority": -1}, {"lacks": '["phone"]'}, [], True, True),
        ({}, {"blocked": '{"email": "opted_out"}'}, [], True, False),
        ({"priority": -1}, {"blocked": '{"email": "opted_out"}'}, [], True, False),
        ({}, {"blocked": '{"phone": "opted_out"}'}, [], True, True),
        ({}, {}, [{"state": "sending"}], True, False),
        ({}, {}, [{"state": "sent"}], False, False),
        ({}, {}, [{"state": "in_doubt"}], True, False),
        ({}, {}, [{"state": "answered"}], True, True),
        ({}, {}, [{"state": "sent", "field": "phone"}], True, True),
        ({}, {}, [{"state": "sent", "person": "q"}], True, True),
        ({}, {"opt_out": '{"email": "opted_out"}'}, [], True, False),
        ({}, {"opt_out": '{"email": "opted_out"}'}, [], False, True),
        ({}, {"opt_out": '{"phone": "opted_out"}'}, [], True, True),
        ({}, {}, [{"state": "done", "opt_out": '{"email": "opted_out"}'}], True, False),
        ({}, {}, [{"state": "done", "opt_out": '{"email": "opted_out"}'}], False, True),
        ({}, {}, [{"state": "done", "opt_out": '{"email": "opted_out"}', "person": "q"}], True, True),
        ({}, {}, [{"state": "done", "opt_out": '{"phone": "opted_out"}'}], True, True),
    ],
)
def test_who_is_not_wanted_any_more(
    tables: Tables, job: dict[str, Any], contact: dict[str, Any], others: list[dict[str, Any]], by_person: bool,
    wanted: bool,
) -> None:  # fmt: skip
    """Between the choice and the intent: another turn, a filled or blocked field, the same person asked about."""
    contact = {**EMPTY, "person": "p", "lacks": '["email", "phone"]', **contact}
    tables.add(Where("contact", "id"), 1, **contact)
    tables.add(Where("job", "id"), 1, contact_id=1, **{**JOB, **job})
    for n, other in enumerate(others, 2):
        person = other.get("person", "p")
        tables.add(Where("contact", "id"), n, **{**EMPTY, "person": person, "opt_out": other.get("opt_out", "{}")})
        values = {k: v for k, v in other.items() if k != "opt_out"}
        tables.add(Where("job", "id"), n, contact_id=n, **{**JOB, "person": "p", **values})
    values = {"provider": "ann", "sync": "a", "by_person": int(by_person)}

    def refused(tx: Tx, pairs: list[tuple[int, int]]) -> bool:
        return tx.row("jobs_not_wanted", **values, wanted=json.dumps(pairs)) is not None

    assert tables.read(refused, [(1, 2)]) is not wanted
    assert not tables.read(refused, [])


@pytest.mark.parametrize(
    ("attempt", "job", "outcome", "taken"),
    [
        ({}, {}, "not_found", False),
        ({"created_at": 21.0}, {}, "not_found", True),
        ({"created_at": 20.0}, {}, "not_found", False),
        ({"created_at": 20.0}, {}, "found", True),
        ({"created_at": 11.0}, {}, None, True),
        ({"created_at": 10.0}, {}, "found", False),
        ({"created_at": 10.0}, {}, None, False),
        ({"created_at": 1.0}, {"state": "sending"}, None, True),
        ({"created_at": 1.0}, {"state": "sent"}, "not_found", True),
        ({"created_at": 1.0}, {"state": "in_doubt"}, None, True),
        ({"created_at": 1.0}, {"state": "answered"}, None, False),
        ({"created_at": 1.0}, {"state": "sent", "submission_id": "another"}, None, False),
        ({"created_at": 30.0, "live": 0}, {"state": "sent"}, None, False),
        ({"created_at": 30.0, "provider": "bob"}, {"state": "sent"}, None, False),
        ({"created_at": 30.0, "question": 8}, {"state": "sent"}, None, False),
    ],
)
def test_which_question_was_asked_lately(
    tables: Tables, attempt: dict[str, Any], job: dict[str, Any], outcome: str | None, taken: bool
) -> None:
    """Misses count from 20 on; finds, and what has no answer, from 10 on; what is under way always."""
    told = {"question": 7, "provider": "ann", "live": 1, "created_at": 15.0, **attempt}
    tables.add(Where("job", "id"), 1, field="email", **{"state": "done", "submission_id": "s", **job})
    tables.add(Where("attempt", "job_id"), 1, submission_id="s", **told)
    for n, other in enumerate(("another job's", "another call's")):
        where = {"job_id": 2, "submission_id": "s"} if n == 0 else {"job_id": 1, "submission_id": "t"}
        tables.add(Where("result", "note"), other, **where, outcome="not_found", at=1.0)
    if outcome is not None:
        tables.add(Where("result", "id"), 9, job_id=1, submission_id="s", outcome=outcome, at=1.0)
    since = Since(missed=20.0, found=10.0)
    asked = tables.read(candidates.asked, "ann", {7: since})
    under_way = job.get("state") in ("sending", "sent", "in_doubt")
    answer = None if outcome is None else 9
    assert asked == ({7: Asked(job_id=1, under_way=under_way, result_id=answer)} if taken else {})

    def is_taken(tx: Tx) -> bool:
        return tx.row("questions_taken", questions=json.dumps([[7, "ann", *since]])) is not None

    assert tables.read(is_taken) is taken


def test_which_results_are_asked_for_now(tables: Tables) -> None:
    """Accepted and due, the longest due first; not what another process asks for just now."""
    call = Where("submission", "id", fixed={"shares": "{}"})
    due = {"a": 5.0, "b": 3.0, "c": 10.0, "d": 10.5, "e": None, "f": 1.0, "g": 1.0, "h": 2.0, "i": 4.0}
    given: dict[str, dict[str, Any]] = {"f": {"state": "in_doubt"}, "g": {"provider": "bob"}}
    for name, poll_at in due.items():
        tables.add(call, name, **{"state": "accepted", "provider": "ann", "poll_at": poll_at, **given.get(name, {})})
    tables.add(Where("claim", "kind"), "submission", item="h")
    tables.add(Where("claim", "kind"), "delivery", item="i")
    assert tables.read(submissions.to_poll, "ann", 10, now=10.0) == ["b", "i", "a", "c"]
    assert tables.read(submissions.to_poll, "ann", 2, now=10.0) == ["b", "i"]
    tables.write(submissions.poll_all_now, "ann", now=7.0)
    assert tables.read(submissions.to_poll, "ann", 10, now=7.0) == ["a", "b", "c", "d", "i"]


# --- what is left to do -------------------------------------------------------------------------------


def _move(tables: Tables, *, held: bool = True) -> int:
    values: dict[str, Any] = {
        "over_budget": [("a", "ann", "phone")], "shut": ["b"], "dear": [("bob", "phone")], "providers": ["ann", "bob"],
        "unwritten": ["a"],
    }  # fmt: skip
    return int(tables.read(reports.moving, **values) if held else tables.read(reports.moving))


@pytest.mark.parametrize(
    ("job", "moves"),
    [
        ({"state": "queued"}, True),
        ({"state": "queued", "field": "phone"}, False),
        ({"state": "queued", "field": "phone", "provider": "bob"}, False),
        ({"state": "queued", "provider": "bob"}, True),
        ({"state": "queued", "sync": "b"}, False),
        ({"state": "queued", "sync": "c", "field": "phone"}, True),
        ({"state": "queued", "sync": "c", "provider": "halted"}, False),
        ({"state": "queued", "sync": "b", "provider": "halted"}, False),
        ({"state": "waiting", "provider": "halted"}, False),
        ({"state": "sending", "submission_id": "known"}, True),
        ({"state": "sent", "submission_id": "known", "provider": "halted"}, True),
        ({"state": "sent", "submission_id": "unread"}, False),
        ({"state": "sent", "submission_id": "unsigned"}, True),
        ({"state": "in_doubt", "submission_id": "unread"}, False),
        ({"state": "answered", "provider": "halted"}, True),
        ({"state": "accepted"}, False),
        ({"state": "accepted", "sync": "c"}, True),
        ({"state": "accepted", "sync": "c", "contact_id": 2}, False),
        ({"state": "accepted", "contact_id": 2}, False),
        ({"state": "writing"}, True),
        ({"state": "writing", "contact_id": 2}, False),
        ({"state": "review"}, False),
        ({"state": "done"}, False),
    ],
)
def test_which_jobs_will_still_move_by_themselves(tables: Tables, job: dict[str, Any], moves: bool) -> None:
    row = {"field": "email", "provider": "ann", "sync": "a", "contact_id": 1, **job}
    for n, crm in ((1, "crm"), (2, "halted")):
        tables.add(Where("contact", "id"), n, **EMPTY, connection=crm, planned=1)
    tables.add(Where("connection", "name"), "halted", trouble="credentials")
    tables.add(Where("connection", "name"), "ann", trouble="")
    tables.add(Where("job", "id"), 1, **row)
    counter = {"field": row["field"], "state": row["state"], "reason": ""}
    tables.add(Where("counter", "sync"), row["sync"], **counter, n=1)
    for call, state, note in (("unread", "quarantined", "no JSON"), ("unsigned", "quarantined", UNSIGNED),
                              ("known", "applied", "")):  # fmt: skip
        tables.add(Where("delivery", "submission_id"), call, state=state, note=note)
    assert _move(tables) == int(moves)


@pytest.mark.parametrize(
    ("call", "moves", "reachable"),
    [
        ({"state": "intent"}, 1, 1),
        ({"state": "accepted"}, 1, 1),
        ({"state": "accepted", "provider": "gone"}, 1, 0),
        ({"state": "in_doubt"}, 0, 0),
        ({"state": "in_doubt", "provider": "gone"}, 0, 0),
        ({"state": "settled"}, 0, 0),
        ({"id": "unread", "state": "accepted"}, 0, 0),
        ({"id": "unread", "state": "accepted", "provider": "gone"}, 0, 0),
        ({"id": "unsigned", "state": "accepted"}, 1, 1),
        ({"id": "unsigned", "state": "accepted", "provider": "gone"}, 1, 0),
    ],
)
def test_which_calls_will_still_end_by_themselves(
    tables: Tables, call: dict[str, Any], moves: int, reachable: int
) -> None:
    """And what waits to be read, or planned."""
    values = {"id": "known", "provider": "ann", **call}
    tables.add(Where("submission", "shares"), "{}", **values)
    for name, note in (("unread", "no JSON"), ("unsigned", UNSIGNED)):
        tables.add(Where("delivery", "submission_id"), name, state="quarantined", note=note)
    assert _move(tables, held=False) == moves
    assert _move(tables) == reachable
    tables.add(Where("contact", "id"), 1, **EMPTY, planned=0)
    tables.add(Where("delivery", "submission_id"), "known", state="received")
    assert _move(tables) == reachable + 2


def test_a_job_whose_provider_is_gone_is_not_waited_for(tables: Tables) -> None:
    tables.add(Where("contact", "id"), 1, **EMPTY, planned=1)
    tables.add(Where("submission", "shares"), "{}", id="s", provider="gone", state="accepted")
    for n, state in enumerate(("sent", "sent", "sending"), 1):
        tables.add(Where("job", "id"), n, contact_id=1, field=f"f{n}", state=state, submission_id="s", sync="a")
        tables.add(Where("counter", "sync"), "a", field=f"f{n}", state=state, reason="", n=1)
    assert (_move(tables, held=False), _move(tables)) == (4, 1)


# --- what is kept -------------------------------------------------------------------------------------


def test_of_a_breaker_the_last_step_is_kept(tables: Tables) -> None:
    columns = [row[1] for row in tables.raw.execute("PRAGMA table_info(breaker)")][1:]
    for n in (1, 2):
        row = {
            column: n if column not in ("why", "kind", "refused", "short", "balance") else str(n) for column in columns
        }
        seen: list[Any] = []

        def step(before: Any, now: dict[str, Any] = row, seen: list[Any] = seen) -> dict[str, Any]:
            seen.append(before)
            return now

        told = tables.write(breakers.change, "ann", step)
        assert told == {**row, "connection": "ann"} == tables.read(breakers.load, "ann")
        assert (seen == [None]) is (n == 1)
    assert tables.read(breakers.load, "bob") is None


def test_the_figures_of_a_day_are_added_up(tables: Tables) -> None:
    columns = [row[1] for row in tables.raw.execute("PRAGMA table_info(daily)")][4:]
    for factor in (1, 10):
        values = {column: factor * n for n, column in enumerate(columns, 1)}
        place = {"day": 5, "sync": "a", "field": "email", "provider": "ann"}
        tables.write(lambda tx, values={**place, **values}: tx.run("daily_add", **values))
        tables.write(lambda tx, n=factor, place=place: tx.run("daily_add_latency", **place, quarter=3, n=n))
    (found,) = tables.rows(Where("daily", "provider"), columns)["ann"]
    assert found == tuple(11 * n for n in range(1, len(columns) + 1))
    assert tables.rows(Where("daily_latency", "provider"), ["n"])["ann"] == [(11,)]
