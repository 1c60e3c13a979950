"""Receivers and workers around one ledger: what each of them does, and how each of them ends."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
import yaml

pytest.importorskip("psycopg", reason="psycopg is not installed")

from syncd.ledger.place import Url
from tests.system.rig import syncd

from .parts import LONG, Part, all_done, ask, assert_right, world

PULLS = "SELECT count(*) FROM run WHERE kind = 'pull'"
FILE = """
ledger: { path: ledger.db }
connections:
  hubspot: { connector: hubspot, access_token: made-up-token }
  fullenrich: { connector: fullenrich, api_key: made-up-key }
syncs:
  - { name: all, crm: hubspot, object: contacts, every: 1h, fields: { email: { providers: [fullenrich] } } }
"""


def test_a_receiver_and_a_worker_do_it_all_together(tmp_path: Path, url: Url) -> None:
    with world(tmp_path, url) as vendors, Part(vendors, name="r", role="receiver", listen=vendors.listen) as receiver:
        receiver.until("it is ready", receiver.is_ready)
        with Part(vendors, name="w", role="worker") as worker:
            worker.until("all is done", lambda: all_done(url))
            assert_right(vendors, url)
            assert worker.health() == 0, "it takes no callbacks"
            assert ask(url, "SELECT count(*) FROM delivery WHERE source = 'callback'") > 0
            assert not [line for line in receiver.lines() if "unit" in line], "it starts no stage"
            assert [line for line in worker.lines() if "unit" in line]
            assert receiver.api("/").status_code == 404
            assert "syncd_spool_callbacks 0.0" in receiver.api("/metrics").text
            assert worker.terminate() == 0
            assert ask(url, "SELECT (SELECT count(*) FROM claim) + (SELECT count(*) FROM worker)") == 0
        assert receiver.terminate() == 0
        assert ask(url, "SELECT n FROM tally WHERE name = 'callbacks_received'") > 0


def test_a_file_belongs_to_one_process_that_does_all(tmp_path: Path) -> None:
    config = tmp_path / "config.yaml"
    config.write_text(FILE, "utf-8")
    for role in ("receiver", "worker"):
        done = syncd("run", "-c", config, "--role", role)
        assert done.returncode == 78
        assert f"--role {role} needs a ledger that processes share, in PostgreSQL (ledger.url)" in done.stderr


@pytest.mark.skipif(not LONG, reason="takes two minutes: make many")
def test_two_workers_pull_once_when_it_is_time(tmp_path: Path, url: Url) -> None:
    """Each sync is pulled every half an hour of the rehearsal, however many workers there are."""
    with world(tmp_path, url, speed=60.0) as vendors:
        every = 1800.0 / 60.0  # real seconds
        syncs = [{**sync, "every": "30m"} for sync in yaml.safe_load(vendors.config.read_text("utf-8"))["syncs"]]
        vendors.configure(syncs=[{key: one[key] for key in one if key != "schedule"} for one in syncs])
        with Part(vendors, name="a", listen=vendors.listen) as one, Part(vendors, name="b", role="worker") as two:
            one.until("both have started", lambda: one.lines("started") and two.lines("started"))
            one.until("all were pulled", lambda: ask(url, PULLS) >= len(syncs))
            before, begun = ask(url, PULLS), time.monotonic()
            time.sleep(3.5 * every)
            took, pulls = time.monotonic() - begun, ask(url, PULLS) - before
    assert 2 * len(syncs) <= pulls <= (took / every + 2) * len(syncs), "as often as one worker pulls"
