"""Jobs for the tests of the ledger alone: every contact that was not decided on is queued."""

from __future__ import annotations

from collections.abc import Iterable

from syncd.config import Sync
from syncd.contract.model import Field, Page
from syncd.ledger import cases, contacts, decisions, inbox, selections
from syncd.ledger.contacts import Rules
from syncd.ledger.states import JobState
from syncd.ledger.store import NewJob, Tx
from syncd.pipeline.deciding import fingerprint


def queue_all(tx: Tx, field: Field, provider: str, *, now: float) -> int:
    """Returns how many jobs are new."""
    ids = cases.changed(tx, 500, now=now)
    found = {one.contact_id: one.person for one in cases.read(tx, ids, Rules()).cases}
    new = [
        NewJob(contact_id=id_, sync="people", field=field, person=found[id_], state=JobState.QUEUED, provider=provider)
        for id_ in ids
    ]
    made = decisions.make(tx, new, now=now)
    decisions.settle(tx, ids, now=now)
    return made


def received(tx: Tx, limit: int) -> list[inbox.Received]:
    """The oldest deliveries that nobody has looked at."""
    return inbox.received(tx, inbox.waiting(tx, limit))


def store(tx: Tx, sync: Sync, page: Page, fields: Iterable[Field], *, now: float) -> int:
    """A page of a pull of this sync, as the stage stores it."""
    pull = selections.begin(tx, fingerprint(sync), sweep_after=sync.sweep, now=now)
    run = contacts.start_run(tx, sync.name, now=now)
    stored = contacts.store_page(tx, sync.name, run, page, fields, now=now)
    selections.seen(tx, pull, page, at=now)
    return stored
