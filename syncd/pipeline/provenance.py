"""What is told in the CRM of a record's values, beside them: who found them, how good they are, when and in which run
they were written. It is set in the same update as a value; a value that is taken back takes it along.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from datetime import UTC, datetime

from syncd.config import Sync
from syncd.contract.model import Snapshot, Told
from syncd.ledger import provenance
from syncd.ledger.provenance import Standing
from syncd.policy import values

from .parts import Parts


async def along(
    parts: Parts, sync: Sync | None, snapshots: Mapping[int, Snapshot], *, leave: Collection[int] = ()
) -> dict[int, dict[str, str]]:
    """By contact: the properties to set along with what is written now. `snapshots`: the records as they are, by
    contact; `leave`: jobs whose value goes."""
    if sync is None or not sync.provenance or not snapshots:
        return {}
    told: dict[int, list[Standing]] = {contact: [] for contact in snapshots}
    for one in await parts.ledger.read(provenance.standing, list(snapshots)):
        if one.job_id not in leave and _stands(one, snapshots[one.contact_id]):
            told[one.contact_id].append(one)
    return {contact: texts(sync.provenance, standing) for contact, standing in told.items()}


def _stands(one: Standing, snapshot: Snapshot) -> bool:
    return one.open or values.same(one.field, snapshot.values.get(one.field, ""), one.value, snapshot.identity)


def texts(places: Mapping[str, str], standing: Iterable[Standing]) -> dict[str, str]:
    """What each property tells of these values; without any, all are blank."""
    ours = sorted(standing, key=lambda one: one.field)
    said = {
        Told.SOURCE: ", ".join(f"{one.field}: {one.provider}" for one in ours),
        Told.STATUS: ", ".join(f"{one.field}: {one.grade}" for one in ours),
        Told.AT: _moment(max(one.at for one in ours)) if ours else "",
        Told.RUN: str(max(one.run for one in ours)) if ours else "",
    }
    return {name: said[Told(told)] for told, name in places.items()}


def _moment(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
