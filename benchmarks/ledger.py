"""What the ledger costs as it grows: the same operations at two sizes, as ratios.

CPU seconds of this process, medians of several rounds; a ratio near 1 means that size does not matter.
"""

from __future__ import annotations

import random
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from syncd.contract.model import Contact, ContactRef, Field, Identity, Page
from syncd.ledger import candidates, cases, contacts, decisions, reports
from syncd.ledger.decisions import New
from syncd.ledger.states import JobState
from syncd.ledger.store import Ledger, Tx

ROUNDS = 9
SMALL, LARGE = 20_000, 400_000


def main(argv: list[str]) -> int:
    """Print the table. `argv`: optionally the two sizes."""
    small, large = (int(argv[0]), int(argv[1])) if len(argv) == 2 else (SMALL, LARGE)
    figures = {size: _measure(size) for size in (small, large)}
    print(f"{'operation (median CPU ms)':40} {small:>10,} {large:>10,}   ratio")
    for name in figures[small]:
        one, two = figures[small][name], figures[large][name]
        print(f"{name:40} {one:10.2f} {two:10.2f}   {two / one:5.2f}")
    return 0


def _measure(size: int) -> dict[str, float]:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "ledger.db"
        Ledger.open(path).close()
        Ledger.change(path, _fill, size)
        rng = random.Random(1)
        return {
            "store a page of 200, random ids": _median(path, lambda tx: _store(tx, rng.sample(range(size), 200))),
            "store a page of 200, neighbours": _median(path, lambda tx: _store(tx, range(1000, 1200))),
            "claim 100": _median(path, lambda tx: candidates.candidates(tx, "s", "p", 100, known_since=0.0)),
            "counters for status": _median(path, reports.counts),
            "what still moves": _median(path, reports.moving),
        }


def _fill(tx: Tx, size: int) -> None:
    for start in range(0, size, 500):
        _store(tx, range(start, min(start + 500, size)))
        found = cases.changed(tx, 500, now=1.0)
        made = [
            New(contact_id=id_, sync="s", field=Field.EMAIL, person=str(id_), state=JobState.QUEUED, provider="p")
            for id_ in found
        ]
        decisions.make(tx, made, now=1.0)
        decisions.settle(tx, found, now=1.0)


def _store(tx: Tx, numbers: range | list[int]) -> None:
    page = Page(contacts=tuple(_contact(n) for n in numbers), cursor={"at": 1})
    contacts.store_page(tx, "s", 1, page, (Field.EMAIL,), now=1.0)


def _contact(number: int) -> Contact:
    identity = Identity(first_name="Ada", last_name=f"Example{number}", domain="acme.example")
    return Contact(ref=ContactRef(connection="crm", object="contacts", id=str(number)), revision="1", identity=identity)


def _median(path: Path, work: Callable[[Tx], object]) -> float:
    spent = []
    for _ in range(ROUNDS):
        started = time.process_time()
        Ledger.change(path, work)
        spent.append((time.process_time() - started) * 1000)
    return statistics.median(spent)
