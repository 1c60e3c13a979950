"""Which settings of a PostgreSQL speak against it, one by one; the real one is asked in `tests/many`."""

from __future__ import annotations

from typing import Any, cast

import pytest

from syncd.ledger import durability
from syncd.ledger.durability import Doubt

GOOD = {
    "synchronous_commit": "on", "synchronous_standby_names": "ANY 1 (b, c)", "fsync": "on", "full_page_writes": "on",
    "idle_in_transaction_session_timeout": "5000", "lock_timeout": "2000",
}  # fmt: skip
POOLED = "its connections lose their settings and locks, as through a pooler in transaction mode (PgBouncer)"
LOCAL = "ledger.durability is local: with the primary's host, its last moments can be lost, and bought again"
NO_NAMES = "ledger.durability is replicated, and this PostgreSQL waits for no standby"
NOBODY = "ledger.durability is replicated, and no synchronous standby follows this PostgreSQL"
UNSEEN = "this user may not see whether a synchronous standby follows (commits wait for one)"


class Told:
    """What a connection is told: its settings, the standbys (all, those that are waited for, those that this user may
    not see), and the processes at both of its ends."""

    def __init__(self, settings: dict[str, str], standbys: tuple[int, int, int] | None, ends: tuple[int, int]) -> None:
        self._settings, self._standbys, self._ends = settings, standbys, ends
        self.raw = self.info = self
        self.backend_pid = ends[1]
        self._rows: Any = None

    def execute(self, statement: str) -> Told:
        self._rows = self._standbys if "pg_stat_replication" in statement else [*self._settings.items()]
        return self

    def fetchall(self) -> Any:
        return self._rows

    def fetchone(self) -> Any:
        return self._rows

    def value(self, _: str) -> int:
        return self._ends[0]


def doubts(
    changed: dict[str, str],
    standbys: tuple[int, int, int] | None = (1, 1, 0),
    *,
    ends: tuple[int, int] = (7, 7),
    replicated: bool = True,
) -> list[Doubt]:
    session = cast("Any", Told({**GOOD, **changed}, standbys, ends))
    return list(durability.doubts(session, replicated=replicated))


@pytest.mark.parametrize("replicated", [True, False])
@pytest.mark.parametrize(
    ("changed", "ends", "pooled"),
    [
        ({}, (7, 7), False),
        ({"synchronous_commit": "remote_apply"}, (7, 7), False),
        ({}, (7, 8), True),
        ({"synchronous_commit": "off"}, (7, 7), True),
        ({"synchronous_commit": "local"}, (7, 7), True),
        ({"idle_in_transaction_session_timeout": "0"}, (7, 7), True),
        ({"lock_timeout": "0"}, (7, 7), True),
    ],
)
def test_a_connection_that_keeps_no_settings_is_not_worked_with(
    changed: dict[str, str], ends: tuple[int, int], pooled: bool, replicated: bool
) -> None:
    told = doubts(changed, ends=ends, replicated=replicated)
    lead = Doubt(POOLED, "Let ledger.url lead to the server itself.")
    assert told[: int(pooled)] == [lead][: int(pooled)]
    assert [one.what for one in told[int(pooled) :]] == ([] if replicated else [LOCAL])
    assert lead.fatal


@pytest.mark.parametrize("name", ["fsync", "full_page_writes"])
def test_a_power_cut_that_can_lose_something_is_told(name: str) -> None:
    said = f"it runs with {name} = off: a power cut can lose what it has acknowledged"
    assert doubts({name: "off"}) == [Doubt(said, "", fatal=False)]


@pytest.mark.parametrize(
    ("names", "standbys", "what", "fatal"),
    [
        ("ANY 1 (b)", (1, 1, 0), None, False),
        ("ANY 1 (b)", (2, 1, 1), None, False),
        ("", (1, 1, 0), NO_NAMES, True),
        ("", (0, 0, 0), NO_NAMES, True),
        ("ANY 1 (b)", (0, 0, 0), NOBODY, True),
        ("ANY 1 (b)", None, NOBODY, True),
        ("ANY 1 (b)", (1, 0, 0), NOBODY, True),
        ("ANY 1 (b)", (1, 0, 1), UNSEEN, False),
    ],
)
def test_somebody_else_has_to_keep_each_commit_too(
    names: str, standbys: tuple[int, int, int] | None, what: str | None, fatal: bool
) -> None:
    told = doubts({"synchronous_standby_names": names}, standbys)
    assert [(one.what, one.fatal) for one in told] == ([] if what is None else [(what, fatal)])
    assert all(one.cure for one in told)
    local = doubts({"synchronous_standby_names": names}, standbys, replicated=False)
    assert [(one.what, one.fatal) for one in local] == [(LOCAL, False)]
