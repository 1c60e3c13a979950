"""What waits for something that does not come by itself is counted once, however much is in its way."""

from __future__ import annotations

import itertools
from pathlib import Path

import pytest

from syncd.contract.errors import Trouble
from syncd.ledger import connections, reports
from syncd.ledger.store import Ledger, Tx, reading
from tests.places import place_of

SYNCS, PROVIDERS, FIELDS = ("people", "leads"), ("ann", "bob"), ("email", "phone")
LANES = tuple(itertools.product(SYNCS, PROVIDERS, FIELDS))
CONTACT = """INSERT INTO contact (
    id, connection, object, ext_id, sync, revision, identity, lacks, blocked, planned, pulled_at)
VALUES (?1, 'crm', 'contacts', ?1, ?2, 0, '{}', '[]', '{}', 1, 1)"""
JOB = "INSERT INTO job (contact_id, sync, field, state, provider, updated_at) VALUES (?, ?, ?, 'queued', ?, 1)"
COUNTS = "INSERT INTO counter SELECT sync, field, state, reason, count(*) FROM job GROUP BY 1, 2, 3, 4"


def _fill(tx: Tx) -> None:
    """Queued jobs: of each sync, provider and field another number, a power of two."""
    contacts = itertools.count(1)
    for power, (sync, provider, field) in enumerate(LANES):
        for contact in itertools.islice(contacts, 1 << power):
            tx._connection.execute(CONTACT, (contact, sync))
            tx._connection.execute(JOB, (contact, sync, field, provider))
    tx._connection.execute(COUNTS)


OVER = ((), (("people", "ann", "email"), ("people", "bob", "email")))
SHUT = ((), ("leads",), ("leads", "people"), ("nobody's",))
DEAR = ((), (("ann", "phone"), ("bob", "phone"), ("ann", "email")))


@pytest.mark.sqlite
def test_each_job_that_waits_is_counted_once(tmp_path: Path) -> None:
    path = tmp_path / "ledger.db"
    Ledger.open(place_of(path)).close()
    Ledger.change(place_of(path), _fill)
    for halted in ((), ("bob",)):
        for name in halted:
            Ledger.change(place_of(path), connections.halt, name, Trouble.CREDENTIALS, "message", "cure", now=1.0)
        for over, shut, dear in itertools.product(OVER, SHUT, DEAR):
            moving = sum(
                1 << power
                for power, (sync, provider, field) in enumerate(LANES)
                if provider not in halted and sync not in shut
                and (sync, provider, field) not in over and (provider, field) not in dear
            )  # fmt: skip
            with reading(place_of(path)) as tx:
                assert reports.moving(tx, over, shut, dear) == moving, (halted, over, shut, dear)
