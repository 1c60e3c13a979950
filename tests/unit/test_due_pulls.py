"""When a pull is due, as several workers find it out from the ledger."""

from __future__ import annotations

from dataclasses import replace

import pytest

from syncd.ledger import contacts
from syncd.ledger.contacts import LastPull
from syncd.stages import is_due

from .conftest import Build

HOUR = 3600.0
NINE = 1_767_258_000.0  # 2026-01-01, 09:00 UTC


@pytest.mark.parametrize(
    ("last", "now", "due"),
    [
        (None, NINE, True),
        (LastPull(NINE, NINE + 5), NINE + HOUR - 1, False),
        (LastPull(NINE, NINE + 5), NINE + HOUR, True),
        (LastPull(NINE, None), NINE + 59, False),
        (LastPull(NINE, None), NINE + 60, True),
    ],
    ids=["never pulled", "not yet", "its interval is over", "it has just begun", "whoever began it may have ended"],
)
def test_an_interval_is_counted_from_the_last_beginning(
    build: Build, last: LastPull | None, now: float, due: bool
) -> None:
    sync = replace(build().settings.syncs[0], every=HOUR, schedule=None)
    assert is_due(sync, last, now) is due


def test_a_line_is_due_once_one_of_its_moments_has_passed(build: Build) -> None:
    sync = replace(build().settings.syncs[0], every=None, schedule="0 10 * * *", time_zone="Europe/Paris")
    last = LastPull(NINE - 2, NINE - 1)  # 10:00 in Paris is 09:00 UTC
    assert not is_due(sync, last, NINE - 1)
    assert is_due(sync, last, NINE)
    assert not is_due(sync, LastPull(NINE, NINE + 1), NINE + HOUR)


def test_the_last_pull_of_each_sync_is_known(build: Build) -> None:
    harness = build()
    assert harness.run(harness.parts.ledger.read(contacts.last_pulls, ["all", "other"])) == {}
    for now in (10.0, 20.0):
        run = harness.run(harness.parts.ledger.write(contacts.start_run, "all", now=now))
    assert harness.run(harness.parts.ledger.read(contacts.last_pulls, ["all", "other"])) == {
        "all": LastPull(20.0, None)
    }
    harness.run(harness.parts.ledger.write(contacts.end_run, run, now=21.0))
    assert harness.run(harness.parts.ledger.read(contacts.last_pulls, ["all"])) == {"all": LastPull(20.0, 21.0)}
