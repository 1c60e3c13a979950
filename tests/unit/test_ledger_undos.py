"""Which written values may be put back: by contact and by run the same."""

from __future__ import annotations

import itertools
import random
from typing import Any

import pytest

from syncd.contract.model import ContactRef, Field
from syncd.ledger import undos
from syncd.ledger.undos import Wanted

from .by_hand import EMPTY, Tables, Where

pytestmark = pytest.mark.sqlite  # rows are put there by hand

SEEDS = range(4)
SYNCS, FIELDS = ("a", "b"), (Field.EMAIL, Field.PHONE)


@pytest.mark.parametrize("seed", SEEDS)
def test_the_written_values_that_fit_are_found_in_both_ways(tables: Tables, seed: int) -> None:
    """By contact and by run; each property by itself, the newest first, with what it has covered."""
    rng = random.Random(seed)
    wanted = _some_writes(tables, rng)
    runs, moments = [None, 1, 2, 3], [None, 10.0, 20.0, 25.0, 30.0]
    for run, sync, since, until in itertools.product(runs, (None, *SYNCS), moments, moments):
        fits = [
            row for row in wanted
            if (run is None or row["run_id"] == run) and (sync is None or row["sync"] == sync)
            and (since is None or row["at"] >= since) and (until is None or row["at"] < until)
        ]  # fmt: skip
        heads: dict[tuple[int, str], int] = {}
        for row in sorted(fits, key=lambda row: -row["id"]):
            heads.setdefault((row["job"], row["property"]), row["id"])
        narrow: dict[str, Any] = {"run": run, "sync": sync, "since": since, "until": until}
        found = tables.read(undos.find, Wanted(**narrow))
        assert {(one.job_id, one.property): one.writes[0] for one in found} == heads
        for contact in (1, 2):
            ref = ContactRef(connection="crm", object="contacts", id=f"e{contact}")
            mine = tables.read(undos.find, Wanted(contact=ref, **narrow))
            assert mine == [one for one in found if one.contact_id == contact]


def _some_writes(tables: Tables, rng: random.Random) -> list[dict[str, Any]]:
    """Three runs of two syncs; returns the writes that may be put back."""
    for id_, sync in enumerate(("a", "b", "a"), 1):
        tables.add(Where("run", "sync"), sync, id=id_, started_at=10.0 * id_)
    wanted = []
    write = 0
    for contact in (1, 2):
        given = {**EMPTY, "connection": "crm", "object": "contacts", "sync": "a", "revision": 1, "pulled_at": 0.0}
        tables.add(Where("contact", "ext_id"), f"e{contact}", id=contact, **given)
        for n, (field, sync) in enumerate(zip(FIELDS, rng.sample(SYNCS, 2), strict=True)):
            job = contact * 10 + n
            tables.add(Where("job", "field"), field, id=job, contact_id=contact, sync=sync, state="done")
            for _ in range(6):
                write += 1
                state, put_back = rng.choice(["written", "written", "cleared"]), rng.choice(["", "", "kept", "undone"])
                row: dict[str, Any] = {
                    "id": write,
                    "state": state,
                    "run_id": rng.randint(1, 3),
                    "property": rng.choice("xy"),
                }
                row["at"] = float(10 * row["run_id"] + rng.choice((0, 5)))
                tables.add(Where("write", "job_id"), job, **row, seen="", before="b", after="a")
                if put_back:
                    tables.add(
                        Where("undo", "state"), put_back, write_id=write, run_id=1, contact_id=contact, job_id=job
                    )
                if state == "written" and put_back != "undone":
                    wanted.append({**row, "job": job, "sync": sync})
    return wanted


@pytest.mark.parametrize(("state", "later"), [("written", True), ("cleared", False), ("intent", False)])
@pytest.mark.parametrize("put_back", ["", "kept", "asked", "intent", "undone"])
def test_a_later_value_of_ours_stands_until_it_is_put_back(
    tables: Tables, state: str, later: bool, put_back: str
) -> None:
    given = {**EMPTY, "connection": "crm", "object": "contacts"}
    tables.add(Where("contact", "ext_id"), "e1", id=1, **given)
    tables.add(Where("job", "field"), "email", id=1, contact_id=1, sync="a", state="done")
    for id_, one, run in ((1, "written", 1), (2, state, 2)):
        tables.add(Where("write", "job_id"), 1, id=id_, state=one, run_id=run, property="x", at=1.0)
    if put_back:
        tables.add(Where("undo", "state"), put_back, write_id=2, run_id=1, contact_id=1, job_id=1)
    (first,) = tables.read(undos.find, Wanted(run=1))
    stands = later and put_back not in ("asked", "intent", "undone")
    assert bool(first.why_not) is stands
    ref = ContactRef(connection="crm", object="contacts", id="e1")
    assert tables.read(undos.find, Wanted(run=1, contact=ref)) == [first]
