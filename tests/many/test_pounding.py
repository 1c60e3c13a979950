"""Several processes do whatever comes to their minds on one ledger, and nothing is done twice; how fast they claim."""

from __future__ import annotations

import json
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import psycopg
import pytest

from syncd.ledger.place import Url
from syncd.pipeline import pull
from tests.postgres import needed
from tests.system.rig import environment
from tests.unit.audit import audit

from .parts import LONG
from .pounding import CALLS, CREDITS, PEOPLE, world

QUEUE = """
INSERT INTO contact (connection, object, ext_id, sync, revision, identity, lacks, blocked, pulled_at)
SELECT 'crm', 'contacts', 'c' || n, 'people', 1, '{}', '["email"]', '{}', 1 FROM generate_series(1, %(n)s) AS n;
INSERT INTO job (contact_id, sync, field, state, provider, updated_at)
SELECT id, 'people', 'email', 'queued', 'ann', 1 FROM contact"""


def at_once(url: Url, *each: tuple[str, ...]) -> list[Any]:
    """What each of some processes says in the end, all of which begin at the same time."""
    command = [sys.executable, "-m", "tests.many.pounding", url.text]
    processes = [
        subprocess.Popen(
            [*command, *arguments], env=environment(), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        for arguments in each
    ]
    for one in processes:
        assert one.stdout is not None
        assert one.stdout.readline() == "ready\n"
    for one in processes:
        assert one.stdin is not None
        one.stdin.write("go\n")
        one.stdin.flush()
    said = [one.communicate(timeout=300)[0] for one in processes]
    assert [one.returncode for one in processes] == [0] * len(processes)
    return [json.loads(one.splitlines()[-1]) for one in said]


@pytest.mark.parametrize("seed", range(8 if LONG else 1))
def test_processes_that_do_anything_at_any_time_buy_nothing_twice(tmp_path: Path, seed: int) -> None:
    server, passes = needed(), 400 if LONG else 60
    url = server.fresh()
    with world(url, tmp_path / "first") as harness:
        harness.run(pull.run_once(harness.parts, harness.sync))
    each = [(str(10 * seed + n), str(passes), str(tmp_path / str(n))) for n in range(1, 5)]
    asked = Counter(ref for refs in at_once(url, *each) for ref in refs)
    assert set(asked.values()) == {1}, "each is asked about once"
    assert 0.9 * CREDITS <= len(asked) <= CREDITS < CALLS < PEOPLE, "what the budget allows, and no more"
    audit(url)
    with psycopg.connect(url.text) as connection:
        rows: dict[str, int] = dict(connection.execute("SELECT state, count(*) FROM job GROUP BY 1").fetchall())
        assert (rows["accepted"], set(rows)) == (len(asked), {"accepted", "queued"})
        assert connection.execute("SELECT sum(used) FROM rate").fetchone() == (len(asked),)
        assert connection.execute("SELECT count(*) FROM claim").fetchone() == (0,)


@pytest.mark.parametrize("workers", [1, 4])
def test_what_several_claim_at_once_they_do_not_share(workers: int) -> None:
    """Jobs that are claimed and taken off the queue, in pages of a hundred. How many a second: ARCHITECTURE.md."""
    server, jobs = needed(), 20_000 if LONG else 2_000
    url = server.fresh()
    with psycopg.connect(url.text) as connection:
        connection.execute(QUEUE.replace("%(n)s", str(jobs)).encode())
    said = at_once(url, *((str(n), "claims") for n in range(1, workers + 1)))
    taken = [job for mine, _, _ in said for job in mine]
    assert len(taken) == len(set(taken)) == jobs
    with psycopg.connect(url.text) as connection:
        assert connection.execute("SELECT count(*) FROM job WHERE state = 'waiting'").fetchone() == (jobs,)
        assert connection.execute("SELECT count(*) FROM claim").fetchone() == (0,)
    began, ended = min(began for mine, began, _ in said if mine), max(ended for _, _, ended in said)
    print(f"{workers} processes claim {jobs / (ended - began):.0f} jobs a second")  # noqa: T201 - shown with -rP
    server.drop(url)
