"""The configuration that the ledger was last used with, and what follows from another one.

A sync that goes by another name keeps its work, its counts and its budget. Where a sync is gone, or decides by other
rules, everything that it looked after is decided on again.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from .store import Tx

CHUNK = 10_000  # jobs that are marked in one unit of work: callbacks are stored between two of them


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """A sync as it is configured: `selection` and `policies` (by field) are fingerprints."""

    name: str
    crm: str
    object: str
    selection: str
    policies: Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Changes:
    """What is new about the configuration. `fields`: (sync, field) of which everything is decided on again."""

    renamed: Mapping[str, str]  # former name → name
    removed: Sequence[str]
    fields: Sequence[tuple[str, str]]
    added: Sequence[str]  # selections of syncs that are new
    jobs: int = 0  # the last one that may have to be decided on again


def compare(tx: Tx, wanted: Sequence[Known]) -> Changes:
    """What has changed since the ledger was last used."""
    before = {row["name"]: row for row in tx.rows("syncs_known")}
    policies: dict[tuple[str, str], str] = {
        (row["sync"], row["field"]): row["fingerprint"] for row in tx.rows("policies_known")
    }
    gone = [name for name in before if name not in {one.name for one in wanted}]
    renamed: dict[str, str] = {}
    new = [one for one in wanted if one.name not in before]
    for exact in (True, False):
        for one in new:
            alike = [
                name
                for name in gone
                if name not in renamed and (before[name]["crm"], before[name]["object"]) == (one.crm, one.object)
            ]
            same = [name for name in alike if before[name]["selection"] == one.selection]
            found = same if exact else alike
            if one.name not in renamed.values() and len(found) == 1:
                renamed[found[0]] = one.name
    former = {name: old for old, name in renamed.items()}
    fields = [
        (one.name, field)
        for one in wanted
        for field, mark in one.policies.items()
        if policies.get((former.get(one.name, one.name), field)) != mark
    ]
    left = {(renamed.get(sync, sync), field) for sync, field in policies}
    asked = {(one.name, field) for one in wanted for field in one.policies}
    return Changes(
        renamed=renamed,
        removed=[name for name in gone if name not in renamed],
        fields=sorted({*fields, *(left - asked)}),
        added=[one.selection for one in new if one.name not in renamed.values()],
        jobs=tx.value("jobs_last"),
    )


def chunks(changes: Changes, size: int = CHUNK) -> list[range]:
    """The jobs that `decide_again` is called with, one chunk after the other."""
    last = changes.jobs if changes.added or changes.fields else 0
    return [range(first, first + size) for first in range(1, last + 1, size)]


def follow(tx: Tx, changes: Changes) -> None:
    """What has another name keeps all that it had. Then comes `decide_again`, for each of the `chunks`, then `keep`."""
    for old, new in changes.renamed.items():
        _rename(tx, old, new)


def decide_again(tx: Tx, changes: Changes, jobs: range, *, now: float) -> None:
    """A chunk of jobs is decided on again, where the configuration has changed for them."""
    part = {"first": jobs.start, "last": jobs.stop - 1, "now": now}
    for selection in changes.added:
        tx.run("again_members", selection=selection, **part)
    for sync, field in changes.fields:
        tx.run("again_soon", sync=sync, field=field, **part)


def keep(tx: Tx, changes: Changes, wanted: Iterable[Known]) -> None:
    """The ledger has followed: a start that was cut off before would find the same changes, and follow once more."""
    for sync, field in changes.fields:
        tx.run("policy_drop", sync=sync, field=field)
    for name in changes.removed:
        tx.run("sync_drop", name=name)
    for one in wanted:
        tx.run("sync_keep", name=one.name, crm=one.crm, object=one.object, selection=one.selection)
        for field, mark in one.policies.items():
            tx.run("policy_keep", sync=one.name, field=field, fingerprint=mark)


def _rename(tx: Tx, old: str, new: str) -> None:
    for statement in (
        "rename_jobs",
        "rename_submissions",
        "rename_runs",
        "rename_counters",
        "rename_spend",
        "rename_daily",
        "rename_daily_latency",
        "make_room_turns",
        "rename_turns",
        "make_room_pauses",
        "rename_pauses",
        "make_room_write_rates",
        "rename_write_rates",
        "make_room_sync_state",
        "rename_sync_state",
    ):
        tx.run(statement, old=old, new=new)
    for statement in ("drop_counters", "drop_spend", "drop_daily", "drop_daily_latency"):
        tx.run(statement, old=old)
    tx.run("sync_drop", name=old)
    tx.run("policy_drop", sync=old, field=None)
