"""Another configuration is followed in small units of work, and a start that was cut off follows it once more."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import Any

import pytest

from syncd.ledger import configured
from syncd.ledger.configured import Changes, Known
from syncd.ledger.store import Tx

from .conftest import Build
from .harness import EMAIL, Harness

KNOWN = Known(name="people", crm="crm", object="contacts", selection="s", policies={EMAIL: "as before"})
CHANGED = replace(KNOWN, policies={EMAIL: "another"})


@pytest.fixture
def three(build: Build) -> Harness:
    """A ledger with three jobs that knows the configuration."""
    harness = build(fields={EMAIL: ["ann"]})
    for name in ("Ada", "Bo", "Cy"):
        harness.person(name)
    harness.ask()
    harness.run(harness.ledger.write(keep))
    return harness


def keep(tx: Tx) -> None:
    configured.keep(tx, configured.compare(tx, [KNOWN]), [KNOWN])
    tx.run("again_over", now=1e12, ids="[1, 2, 3]")


def compared(harness: Harness) -> Changes:
    return harness.run(harness.ledger.read(configured.compare, [CHANGED]))


def test_a_changed_policy_is_followed_chunk_by_chunk(three: Harness) -> None:
    changes = compared(three)
    assert (changes.fields, changes.jobs) == ([("people", EMAIL)], 3)
    for n, jobs in enumerate(configured.chunks(changes, 1), 1):
        three.run(three.ledger.write(configured.decide_again, changes, jobs, now=5.0))
        assert three.sql("SELECT job_id, at FROM again ORDER BY job_id") == [(job, 5.0) for job in range(1, n + 1)]
    three.run(three.ledger.write(configured.keep, changes, [CHANGED]))
    assert (compared(three).fields, configured.chunks(compared(three))) == ([], [])


@pytest.mark.parametrize(("jobs", "size", "parts"), [(0, 10, 0), (1, 10, 1), (10, 10, 1), (11, 10, 2)])
def test_every_job_is_in_one_chunk(jobs: int, size: int, parts: int) -> None:
    chunks = configured.chunks(Changes(renamed={}, removed=[], fields=[("people", EMAIL)], added=[], jobs=jobs), size)
    assert len(chunks) == parts
    assert {*range(1, jobs + 1)} <= {job for chunk in chunks for job in chunk}


@pytest.mark.parametrize(
    ("another", "renamed"),
    [
        ({"selection": "s"}, True),
        ({"selection": "t"}, True),
        ({"selection": "s", "crm": "other"}, False),
        ({"selection": "s", "object": "leads"}, False),
    ],
)
def test_another_name_is_the_same_sync_only_where_the_contacts_are_the_same(
    three: Harness, another: dict[str, Any], renamed: bool
) -> None:
    new = replace(KNOWN, name="leads", **another)
    changes = three.run(three.ledger.read(configured.compare, [new]))
    assert changes.renamed == ({"people": "leads"} if renamed else {})
    assert changes.removed == ([] if renamed else ["people"])
    assert changes.added == ([] if renamed else [another["selection"]])


def test_of_two_new_names_the_one_with_the_same_selection_is_the_former_sync(three: Harness) -> None:
    new = [replace(KNOWN, name="first", selection="t"), replace(KNOWN, name="second")]
    changes = three.run(three.ledger.read(configured.compare, new))
    assert (changes.renamed, changes.added) == ({"people": "second"}, ["t"])


@pytest.mark.parametrize("done", range(4))
def test_a_start_that_is_cut_off_follows_once_more(three: Harness, done: int) -> None:
    changes = compared(three)
    three.run(three.ledger.write(configured.follow, changes))
    for jobs in configured.chunks(changes, 1)[:done]:
        three.run(three.ledger.write(configured.decide_again, changes, jobs, now=5.0))
    assert compared(three) == changes


def test_a_sync_that_is_removed_is_known_until_its_contacts_are_decided_on_again(three: Harness) -> None:
    look = partial(configured.compare, wanted=[])
    changes = three.run(three.ledger.read(look))
    assert (changes.removed, changes.fields) == (["people"], [("people", EMAIL)])
    three.run(three.ledger.write(configured.follow, changes))
    assert three.run(three.ledger.read(look)) == changes
    three.run(three.ledger.write(configured.keep, changes, []))
    assert three.run(three.ledger.read(look)).removed == []
