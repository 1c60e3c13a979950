"""What stops a paid call: gates, halted connections, breakers and pauses, each of those whom it concerns."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from syncd.contract.errors import Trouble
from syncd.contract.pacing import Window
from syncd.ledger import breakers, canaries, claims, connections, gates, pauses, permits, rates, symptoms
from syncd.ledger.claims import Kind, Lost, Owner
from syncd.ledger.permits import Permit, Use

from .by_hand import NOW, Tables, Where

pytestmark = pytest.mark.sqlite  # rows are put there by hand


# --- what stops a call -------------------------------------------------------------------------------


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


# --- breakers ----------------------------------------------------------------------------------------


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


# --- whose right it is --------------------------------------------------------------------------------


def test_calls_that_are_made_together_stand_under_a_claim_each(tables: Tables) -> None:
    owner = Owner(id=7)

    def permit(*jobs: int) -> Permit:
        claim = tables.write(claims.take, Kind.JOB, jobs, owner=owner, now=NOW)
        return Permit(owner=owner, claim=claim, crm="crm", windows=())

    first, second = permit(1, 2), permit(3)
    uses = [Use(first, "ann", "a", [1], NOW), Use(second, "bob", "a", [3], NOW), Use(first, "ann", "a", [2], NOW)]
    tables.write(permits.use, uses)
    with pytest.raises(Lost):
        tables.write(permits.use, [Use(first, "ann", "a", [3], NOW)])
    assert tables.write(claims.release, second.claim) == 1
    with pytest.raises(Lost):
        tables.write(permits.use, uses)
    tables.write(permits.use, uses[::2])


# --- what a vendor's limits allow ---------------------------------------------------------------------


@pytest.mark.parametrize(
    ("window", "at", "calls", "wait"),
    [
        (Window(50.0, 2), [], 2, None),
        (Window(50.0, 2), [], 3, 50.0),
        (Window(50.0, 2), [100.0, 110.0], 1, 30.0),
        (Window(50.0, 3), [100.0, 100.5, 110.0], 1, 30.5),
        (Window(50.0, 2), [100.0, 100.0, 110.0], 1, 30.0),
        (Window(50.0, 2), [70.0, 110.0], 1, None),
        (Window(50.0, 2, fixed=True), [99.0, 110.0], 1, None),
        (Window(50.0, 2, fixed=True), [100.0, 110.0], 1, 30.0),
    ],
)
def test_a_call_waits_until_the_window_holds_one_more(
    tables: Tables, window: Window, at: list[float], calls: int, wait: float | None
) -> None:
    """At the moment 120, after calls at these moments; another connection's calls take no place."""
    for moment in at:
        tables.write(rates.take, "ann", [replace(window, limit=99)], now=moment)
        tables.write(rates.take, "bob", [replace(window, limit=99)], now=moment + 2)
    if wait is None:
        assert tables.read(rates.left, "ann", window, now=120.0) >= calls
        tables.write(rates.take, "ann", [window], now=120.0, calls=calls)
        return
    with pytest.raises(rates.TooSoon) as told:
        tables.write(rates.take, "ann", [Window(1.0, 9), window], now=120.0, calls=calls)
    assert told.value.wait == pytest.approx(wait)
    assert tables.read(rates.left, "ann", Window(1.0, 9), now=120.0) == 9, "nothing was written"


@pytest.mark.parametrize(
    ("owner", "until", "other"), [(8, NOW + 1, True), (8, NOW, False), (7, NOW + 1, False), (8, NOW - 1, False)]
)
def test_somebody_else_works_on_it_as_long_as_their_lease_lasts(
    tables: Tables, owner: int, until: float, other: bool
) -> None:
    """Beside them, a start takes nothing from anybody; else all of what is held is free."""
    tables.add(Where("worker", "owner"), owner, lease_until=until)
    tables.add(Where("claim", "kind"), "job", item="1", owner=owner)
    mine = Owner(id=7)
    assert tables.read(claims.any_other, mine, now=NOW) is other
    assert tables.write(claims.begin, mine, shared=True, now=NOW) is not other
    assert tables.rows(Where("claim", "kind"), ["item"]) == ({"job": [("1",)]} if other else {})
    assert [*tables.rows(Where("worker", "owner"))] == ([7, 8] if other else [7])
    assert tables.write(claims.begin, mine, shared=False, now=NOW), "nobody else can be there"
    assert tables.rows(Where("claim", "kind")) == {}


def test_refusals_are_over_for_the_connection_that_was_taken(tables: Tables) -> None:
    for name, refusals in (("ann", 3), ("bob", 2)):
        tables.add(Where("connection", "name"), name, refusals=refusals)
    tables.write(connections.takes, "ann")
    assert tables.rows(Where("connection", "name"), ["refusals"]) == {"ann": [(0,)], "bob": [(2,)]}


def test_a_callback_of_our_own_is_waited_for_once(tables: Tables) -> None:
    """Those of others, and old ones, are let go of without a word."""
    for nonce, at in (("a", NOW), ("b", NOW), ("old", NOW - 3_600.0 - 1), ("c", NOW - 3_600.0)):
        tables.write(canaries.sent, nonce, now=at)
    assert [tables.write(canaries.arrived, nonce) for nonce in ("a", "a", "nobody", "old")] == [
        True,
        False,
        False,
        True,
    ]
    assert tables.write(canaries.over, "b", now=NOW) is False
    assert [*tables.rows(Where("canary", "nonce"))] == ["a", "c"]
    assert tables.write(canaries.over, "a", now=NOW)
    assert [*tables.rows(Where("canary", "nonce"))] == ["c"]


def test_what_the_other_processes_see(tables: Tables) -> None:
    """Each thing once, whichever of them sees it, since it was first seen."""
    for owner, kind, who, since in ((7, "late", "pull", 1.0), (8, "late", "pull", 5.0), (9, "late", "pull", 3.0),
                                    (8, "late", "dispatch", 4.0), (8, "away", "z", 2.0)):  # fmt: skip
        row = {"who": who, "since": since, "why": f"why{owner}", "cure": f"cure{10 - owner}"}
        tables.add(Where("symptom", "kind"), kind, owner=owner, **row)
    told = [tuple(one.values()) for one in tables.read(symptoms.of_others, Owner(id=7))]
    assert told == [
        ("away", "z", "why8", "cure2", 2.0),
        ("late", "dispatch", "why8", "cure2", 4.0),
        ("late", "pull", "why8", "cure1", 3.0),
    ]
    tables.write(symptoms.keep, Owner(id=8), [{"kind": "k", "who": "w", "why": "y", "cure": "c", "since": 9.0}])
    tables.add(Where("worker", "owner"), 8)
    tables.write(symptoms.forget_the_ended)
    assert [*tables.rows(Where("symptom", "owner"), ["kind"])] == [8]


def test_a_clean_end_gives_back_what_the_process_held(tables: Tables) -> None:
    for owner in (7, 8):
        tables.add(Where("worker", "owner"), owner, lease_until=NOW)
        tables.add(Where("claim", "owner"), owner, kind="job", item=str(owner))
    tables.write(claims.end, Owner(id=7))
    assert [*tables.rows(Where("worker", "owner"))] == [*tables.rows(Where("claim", "owner"))] == [8]


def test_of_what_is_wanted_that_is_taken_which_nobody_holds(tables: Tables) -> None:
    """What others hold, or what is called alike and is of another kind, is neither taken nor given back."""
    first = tables.write(claims.take, Kind.JOB, [2, 4], owner=Owner(id=8), now=NOW)
    tables.write(claims.take, Kind.CONTACT, [1, 3], owner=Owner(id=8), now=NOW)
    second = tables.write(claims.take, Kind.JOB, [1, 2, 3], owner=Owner(id=7), now=NOW)
    assert (first.items, second.items) == ((2, 4), (1, 3))
    none = tables.write(claims.take, Kind.JOB, [2, 3], owner=Owner(id=7), now=NOW)
    assert none.items == ()
    third = tables.write(claims.take, Kind.JOB, [2, 3], owner=Owner(id=7), now=NOW, otherwise=lambda _: [4, 5])
    assert third.items == (5,)
    assert len({first.epoch, second.epoch, none.epoch, third.epoch}) == 4
    assert tables.read(claims.holds, second)
    assert not tables.read(claims.holds, second, [1, 2])
    assert tables.write(claims.release, second) == 2
    assert not tables.read(claims.holds, second)
    assert tables.read(claims.holds, first)
    assert len(tables.rows(Where("claim", "kind"))["contact"]) == 2


def test_what_ended_processes_held_and_what_was_let_go_of_is_given_back(tables: Tables) -> None:
    """Of the process itself what it does not say to be active, up to an epoch; of others what has no lease any more."""
    for owner, until in ((7, NOW), (8, NOW + 1), (9, NOW)):
        tables.add(Where("worker", "owner"), owner, lease_until=until)
    held = ((7, 1), (7, 2), (7, 3), (7, 4), (8, 1), (9, 5), (10, 1))
    for n, (owner, epoch) in enumerate(held, 1):
        tables.add(Where("claim", "item"), str(n), kind="job", owner=owner, epoch=epoch)
    gone = tables.write(claims.expire, Owner(id=7), {1}, 3, now=NOW)
    assert {one.item for one in gone} == {2, 3, 6, 7}
    assert {one.kind for one in gone} == {Kind.JOB}
    assert tables.write(claims.forget_the_ended, Owner(id=7), now=NOW) == 1
    assert [*tables.rows(Where("worker", "owner"))] == [7, 8]


def test_slots_are_kept_as_long_as_a_window_reaches_back_to_them(tables: Tables) -> None:
    """Fifty and one of their own width; a call that lies ahead of the clock is one of now."""
    width = 2.0
    for slot, last in ((1, NOW - 51 * width), (2, NOW - 51 * width - 0.1), (3, NOW + 9), (4, NOW)):
        tables.add(Where("rate", "connection"), "ann", width=width, slot=slot, used=1, last=last)
    tables.add(Where("rate", "connection"), "bob", width=100.0, slot=1, used=1, last=NOW - 51 * width - 0.1)
    tables.write(rates.forget, now=NOW)
    kept = tables.rows(Where("rate", "connection"), ["slot", "last"])
    assert kept == {"ann": [(1, NOW - 51 * width), (3, NOW), (4, NOW)], "bob": [(1, NOW - 51 * width - 0.1)]}


def test_one_pause_ends_and_the_others_last(tables: Tables) -> None:
    for kind, name in (("sync", "a"), ("sync", "b"), ("provider", "a")):
        tables.add(Where("pause", "kind"), kind, name=name, by=f"{kind} {name}")
    assert tables.write(lambda tx: [row[0] for row in tx.rows("pause_end", kind="sync", name="a")]) == ["sync a"]
    assert tables.rows(Where("pause", "kind"), ["name"]) == {"provider": [("a",)], "sync": [("b",)]}


def test_who_is_tried_again_is_so_for_the_vendors_longest_pause(tables: Tables) -> None:
    """A halt, a balance and the windows of one connection say nothing of another one."""
    for name in ("ann", "bob"):
        tables.write(connections.halt, name, Trouble.CREDITS, "none left", "buy", now=5.0)
        tables.write(connections.learn_windows, name, [Window(60.0, 9 if name == "ann" else 8)], now=NOW)
        tables.write(connections.keep, name, "key", name)
    assert tables.write(connections.clear, "ann")
    assert not tables.write(connections.clear, "ann")
    assert tables.read(connections.troubles) == {"bob": Trouble.CREDITS}
    assert (tables.read(connections.trouble, "ann"), tables.read(connections.trouble, "bob")) == (None, Trouble.CREDITS)
    assert tables.read(connections.trouble, "nobody") is None
    assert tables.read(connections.windows, "ann") == (Window(60.0, 9),)
    assert tables.read(connections.recall_all, "bob") == {"key": "bob"}
    tables.write(connections.keep, "bob", "key", 7)
    assert tables.read(connections.recall_all, "bob") == {"key": 7}
    assert tables.read(connections.recall_all, "ann") == {"key": "ann"}


def test_gates_are_told_once_and_go_with_their_process(tables: Tables) -> None:
    """What all processes see stays."""
    tables.add(Where("worker", "owner"), 8)
    for watch, sync, owner, since in (
        ("disk", "", 7, 3.0),
        ("disk", "", 8, 2.0),
        ("rights", "a", 0, 1.0),
        ("clock", "", 9, 4.0),
    ):
        row = {"owner": owner, "why": f"why {watch}", "cure": f"cure{10 - owner}", "since": since}
        tables.add(Where("gate", "watch"), watch, sync=sync, **row)
    told = tables.read(lambda tx: [tuple(row) for row in tx.rows("gate")])
    assert told == [
        ("clock", "", "why clock", "cure1", 4.0), ("disk", "", "why disk", "cure2", 2.0),
        ("rights", "a", "why rights", "cure10", 1.0),
    ]  # fmt: skip
    tables.write(lambda tx: tx.run("gates_expire"))
    assert sorted(tables.rows(Where("gate", "owner"), ["watch"])) == [0, 8]
    for owner, kind, who in ((7, "late", "b"), (8, "late", "b"), (7, "late", "a"), (7, "away", "z")):
        tables.add(Where("symptom", "owner"), owner, kind=kind, who=who, why=f"w{owner}", cure="c", since=float(owner))
    told = tables.read(lambda tx: [tuple(row) for row in tx.rows("symptoms")])
    assert told == [("away", "z", "w7", "c", 7.0), ("late", "a", "w7", "c", 7.0), ("late", "b", "w7", "c", 7.0)]


def test_breakers_that_are_shut_or_short_are_told(tables: Tables) -> None:
    for name, why, short in (("d", "no answer", None), ("a", "", "{}"), ("b", "", None), ("c", "x", "{}")):
        tables.add(Where("breaker", "connection"), name, why=why, short=short)
    assert tables.read(lambda tx: [row["connection"] for row in tx.rows("breakers_shut")]) == ["a", "c", "d"]
