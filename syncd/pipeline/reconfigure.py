"""Another configuration than the last time: names that changed, syncs that went, policies that decide otherwise."""

from __future__ import annotations

import hashlib

import structlog

from syncd.config import Sync
from syncd.contract.model import Field
from syncd.ledger import configured, writes
from syncd.ledger.configured import Changes, Known
from syncd.ledger.store import Tx

from .deciding import fingerprint
from .parts import Parts

log = structlog.get_logger("syncd.configuration")


async def run_once(parts: Parts) -> None:
    """At a start, before any stage: let the ledger follow the configuration, and tell what that means."""
    wanted = [_known(sync) for sync in parts.settings.syncs]
    changes: Changes = await parts.ledger.write(_follow, wanted, now=parts.clock.now())
    for jobs in configured.chunks(changes):
        await parts.ledger.write(configured.decide_again, changes, jobs, now=parts.clock.now())
    await parts.ledger.write(configured.keep, changes, wanted)
    for old, new in changes.renamed.items():
        log.info("sync_renamed", sync=new, former=old)
    for name in changes.removed:
        log.warning("sync_removed", sync=name, what="what it had not sent is cancelled, what was paid is kept")
    for sync, field in changes.fields:
        log.info("policy_decides", sync=sync, field=field)


def _follow(tx: Tx, wanted: list[Known], *, now: float) -> Changes:
    changes = configured.compare(tx, wanted)
    configured.follow(tx, changes)
    writes.without_place(tx, writes.begun_without_sync(tx, [one.name for one in wanted]), now=now)
    return changes


def _known(sync: Sync) -> Known:
    fields = [*sync.fields, *sync.selection.extras]
    return Known(
        name=sync.name,
        crm=sync.crm,
        object=sync.object,
        selection=fingerprint(sync),
        policies={field: _mark(sync, field) for field in fields},
    )


def _mark(sync: Sync, field: Field) -> str:
    """A fingerprint of all that a decision on a field depends on, but the names of syncs and what was spent."""
    policy = sync.fields.get(field)
    parts = {
        "policy": None if policy is None else {name: _sorted(getattr(policy, name)) for name in policy.__slots__},
        "ages": None if policy is None else [sync.ages(field, provider) for provider in policy.providers],
        "doubts": [sync.on_doubt, sync.review_within, sync.verify],
        "selection": fingerprint(sync),
    }
    return hashlib.blake2b(repr(parts).encode("utf-8", "surrogatepass"), digest_size=12).hexdigest()


def _sorted(value: object) -> object:
    """Sets in order, so that the same policy has one text."""
    return sorted(value) if isinstance(value, frozenset) else value
