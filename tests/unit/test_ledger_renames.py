"""A connection or a sync with another name keeps all that it had, in every table, and nothing of others goes along."""

from __future__ import annotations

import asyncio

import pytest

from syncd.ledger import configured, renames
from syncd.ledger.configured import Changes

from .by_hand import Tables, Where

pytestmark = pytest.mark.sqlite  # rows are put there by hand

OLD, NEW, OTHER = "old", "new", "other"


CONNECTIONS = [
    Where("contact", "connection"),
    Where("job", "provider"),
    Where("submission", "provider", fixed={"shares": "{}"}),
    Where("attempt", "provider"),
    Where("result", "provider"),
    Where("delivery", "provider"),
    Where("sync", "crm"),
    Where("memory", "connection", ("key",)),
    Where("balance", "provider", ("at",)),
    Where("connection", "name", is_alone=True),
    Where("spend", "provider", ("slot", "sync", "field", "run_id", "refresh")),
    Where("credit_total", "provider", is_alone=True),
    Where("daily", "provider", ("day", "sync", "field")),
    Where("daily_latency", "provider", ("day", "sync", "field", "quarter")),
    Where("dearest", "provider", ("field",)),
    Where("reconciliation", "provider", is_alone=True),
    Where("breaker", "connection", is_alone=True),
    Where("pause", "name", fixed={"kind": "provider"}, is_alone=True),
    Where("turn", "connection", ("sync",)),
    Where("rate", "connection", ("width", "slot")),
]
SYNCS = [
    Where("job", "sync"),
    Where("submission", "sync", fixed={"shares": "{}"}),
    Where("run", "sync"),
    Where("turn", "sync", ("connection",)),
    Where("pause", "name", fixed={"kind": "sync"}, is_alone=True),
    Where("sync_state", "sync", is_alone=True),
]
SUMMED = [
    Where("counter", "sync", ("field", "state", "reason")),
    Where("spend", "sync", ("slot", "provider", "field", "run_id", "refresh")),
    Where("daily", "sync", ("day", "field", "provider")),
    Where("daily_latency", "sync", ("day", "field", "provider", "quarter")),
]


def connection_is_renamed(tables: Tables) -> None:
    tables.write(renames.follow, {NEW: "its mark", OTHER: "another mark"})


def sync_is_renamed(tables: Tables) -> None:
    tables.write(configured.follow, Changes(renamed={OLD: NEW}, removed=[], fields=[], added=[]))


def renamed(tables: Tables, *, sync: bool) -> None:
    sync_is_renamed(tables) if sync else connection_is_renamed(tables)


CASES = [(one, False) for one in CONNECTIONS] + [(one, True) for one in SYNCS]
IDS = [f"{one.table}.{one.name}" for one, _ in CASES]


@pytest.fixture(autouse=True)
def known(tables: Tables) -> None:
    """The connections as they were called before."""
    tables.write(renames.follow, {OLD: "its mark", OTHER: "another mark"})


@pytest.mark.parametrize(("where", "sync"), CASES, ids=IDS)
def test_what_goes_by_the_former_name_goes_by_the_new_one(tables: Tables, where: Where, sync: bool) -> None:
    """What was left under the new name by a namesake of long ago makes room where there can be only one."""
    two = [] if where.is_alone else [[5] * len(where.key), [6] * len(where.key)]
    for name in (OLD, OTHER):
        for keys in two[:1] or [[]]:
            tables.add(where, name, *keys)
    for keys in two or [[]]:
        tables.add(where, NEW, *keys)
    before = tables.rows(where)
    renamed(tables, sync=sync)
    after = tables.rows(where)
    assert OLD not in after
    assert after[OTHER] == before[OTHER]
    if where.is_alone:
        assert after[NEW] == before[OLD]
    elif where.key:
        left = [row for row in before[NEW] if 6 in row or 6.0 in row or "6" in row]
        assert len(left) == 1
        assert after[NEW] == sorted([*before[OLD], *left])
    else:
        assert after[NEW] == sorted([*before[OLD], *before[NEW]])


@pytest.mark.parametrize(("where", "sync"), CASES, ids=IDS)
def test_where_nothing_goes_by_the_former_name_all_stays(tables: Tables, where: Where, sync: bool) -> None:
    for name in (NEW, OTHER):
        tables.add(where, name, *[5] * len(where.key))
    before = tables.rows(where)
    renamed(tables, sync=sync)
    assert tables.rows(where) == before


@pytest.mark.parametrize(
    ("where", "different"),
    [(one, key) for one, sync in CASES for key in one.key if not sync],
    ids=[f"{one.table}.{key}" for one, sync in CASES for key in one.key if not sync],
)
def test_only_the_very_same_place_makes_room(tables: Tables, where: Where, different: str) -> None:
    tables.add(where, OLD, *[5] * len(where.key))
    tables.add(where, NEW, *[6 if key == different else 5 for key in where.key])
    before = tables.rows(where)
    connection_is_renamed(tables)
    assert tables.rows(where)[NEW] == sorted([*before[OLD], *before[NEW]])


@pytest.mark.parametrize("where", SUMMED, ids=[one.table for one in SUMMED])
def test_what_is_counted_for_a_sync_is_added_up(tables: Tables, where: Where) -> None:
    for name, key in ((OLD, 5), (OLD, 6), (NEW, 5), (OTHER, 5)):
        tables.add(where, name, *[key] * len(where.key))
    info = [row[1] for row in tables.raw.execute(f"PRAGMA table_info({where.table})")]
    numbers = [column for column in info if column not in (where.name, *where.key)]
    before, keyed = tables.rows(where, numbers), tables.rows(where, [where.key[0], *numbers])
    sync_is_renamed(tables)
    after = tables.rows(where, [where.key[0], *numbers])
    assert OLD not in after
    assert after[OTHER] == keyed[OTHER]
    moved, same = sorted(after[NEW], key=lambda row: str(row[0]))[::-1]
    assert moved in keyed[OLD]
    (first,) = (row[1:] for row in keyed[OLD] if str(row[0]) == "5")
    assert same[1:] == tuple(map(sum, zip(first, before[NEW][0], strict=True)))


@pytest.mark.parametrize("slot", [5, 6])
def test_the_writes_of_a_sync_count_on_under_its_new_name(tables: Tables, slot: int) -> None:
    where = Where("rate", "connection", ("width", "slot"))
    for name, at in ((OLD, 5), (NEW, slot), (OTHER, 5)):
        tables.add(where, f"writes of {name}", 5, at)
    before = tables.rows(where)
    sync_is_renamed(tables)
    after = tables.rows(where)
    assert f"writes of {OLD}" not in after
    assert after[f"writes of {OTHER}"] == before[f"writes of {OTHER}"]
    left = before[f"writes of {NEW}"] if slot == 6 else []
    assert after[f"writes of {NEW}"] == sorted([*before[f"writes of {OLD}"], *left])


def test_a_pause_of_a_sync_is_not_that_of_a_connection_of_that_name(tables: Tables) -> None:
    for kind in ("sync", "provider", "all"):
        for name in (OLD, NEW):
            tables.add(Where("pause", "name", fixed={"kind": kind}), name)
    kinds = Where("pause", "name")
    connection_is_renamed(tables)
    assert [row[0] for row in tables.rows(kinds, ["kind"])[OLD]] == ["all", "sync"]
    assert [row[0] for row in tables.rows(kinds, ["kind"])[NEW]] == ["all", "provider", "sync"]
    sync_is_renamed(tables)
    assert [row[0] for row in tables.rows(kinds, ["kind"])[OLD]] == ["all"]
    assert [row[0] for row in tables.rows(kinds, ["kind"])[NEW]] == ["all", "provider", "sync"]


def test_a_pause_makes_room_for_one_of_its_own_kind_only(tables: Tables) -> None:
    other = {"sync": "provider", "provider": "sync"}
    for kind, rename in (("provider", connection_is_renamed), ("sync", sync_is_renamed)):
        tables.raw.execute("DELETE FROM pause")
        tables.add(Where("pause", "name", fixed={"kind": other[kind]}), OLD)
        tables.add(Where("pause", "name", fixed={"kind": kind}), NEW)
        before = tables.rows(Where("pause", "name"))
        rename(tables)
        assert tables.rows(Where("pause", "name")) == before


def test_of_a_sync_that_has_another_name_the_former_one_is_not_known_any_more(tables: Tables) -> None:
    for name in (OLD, OTHER):
        tables.add(Where("sync", "name"), name)
        tables.add(Where("policy", "sync", ("field",)), name, 5)
    sync_is_renamed(tables)
    assert tables.rows(Where("sync", "name")).keys() == {OTHER}
    assert tables.rows(Where("policy", "sync")).keys() == {OTHER}


def test_former_names_lead_to_the_newest_one(tables: Tables) -> None:
    tables.write(renames.follow, {NEW: "its mark", "another": "another mark"})
    tables.write(renames.follow, {"newest": "its mark", "another": "another mark"})
    told = asyncio.run(tables.ledger.read(renames.former_names))
    assert told == {OLD: "newest", NEW: "newest", OTHER: "another"}
    assert {row[0] for row in tables.raw.execute("SELECT name FROM known_connection")} == {"newest", "another"}


def test_a_connection_that_is_gone_comes_back_under_another_name(tables: Tables) -> None:
    tables.write(renames.follow, {NEW: "its mark"})
    told = asyncio.run(tables.ledger.write(renames.follow, {NEW: "its mark", "back": "another mark"}))
    assert told == {OTHER: "back"}


@pytest.mark.parametrize(
    "marks",
    [
        {OLD: "its mark", OTHER: "another mark", "third": "its mark"},
        {OTHER: "its mark"},
        {OTHER: "another mark", "third": "a third mark"},
    ],
)
def test_what_is_still_there_or_has_another_mark_is_not_renamed(tables: Tables, marks: dict[str, str]) -> None:
    assert asyncio.run(tables.ledger.write(renames.follow, marks)) == {}
