"""Plan: who is to be enriched, by whom first, and who not, and why. Pure, but for `run_once`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from syncd.config import Sync
from syncd.ledger import contacts
from syncd.ledger.contacts import NewJob, Pulled, Rules
from syncd.ledger.states import Reason
from syncd.ledger.store import Tx

from .parts import Parts

PAGE = 500


def plan(found: Iterable[Pulled], syncs: Iterable[Sync]) -> Iterator[NewJob]:
    """One decision for each field that a contact lacks: the first provider's turn, or the reason why not."""
    by_name = {sync.name: sync for sync in syncs}
    for contact in found:
        sync = by_name.get(contact.sync)
        if sync is None:
            continue
        for field in sorted(contact.lacks & sync.fields.keys()):
            if (why := contact.blocked.get(field)) is not None:
                yield NewJob(contact=contact, field=field, reason=Reason.BLOCKED, note=why)
            else:
                yield NewJob(contact=contact, field=field, provider=sync.fields[field].providers[0])


async def run_once(parts: Parts) -> int:
    """Plan what was pulled since; returns how many jobs are new."""
    made = 0
    while await parts.ledger.read(contacts.unplanned, 1):
        made += await parts.ledger.write(_plan_page, parts.settings.syncs, parts.rules, now=parts.clock.now())
    return made


def _plan_page(tx: Tx, syncs: Iterable[Sync], rules: Rules, *, now: float) -> int:
    """Look and decide in one transaction: a contact that a pull has just changed is not taken for planned."""
    found = contacts.unplanned(tx, PAGE, rules=rules)
    return contacts.apply_plan(tx, found, plan(found, syncs), now=now)
