"""What is stopped for a while: by a person, or by a canary; and how much may be written."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from syncd.cli import app
from syncd.contract.model import Grade
from syncd.ledger import configured, gates, pauses, reports
from syncd.ledger.configured import Changes
from syncd.ledger.pauses import PauseKind
from syncd.pipeline import room
from tests.contract.fake_provider import FakeProvider

from .conftest import Build
from .harness import EMAIL, ONE_BY_ONE, Harness

HOUR = 3_600.0


def crowd(harness: Harness, n: int, first: int = 0) -> list[str]:
    """So many people who can be found."""
    found = []
    for i in range(first, first + n):
        found.append(harness.person(f"Ada{i}"))
        harness.finds(found[-1], EMAIL, f"ada{i}@acme.example.com")
    return found


def pause(harness: Harness, kind: PauseKind, name: str = "", *, until: float | None = None) -> None:
    now = harness.clock.now()
    harness.run(harness.ledger.write(pauses.pause, kind, name, "a clean-up", until=until, by="ada", now=now))


def resume(harness: Harness, kind: PauseKind, name: str = "") -> bool:
    return harness.run(harness.ledger.write(pauses.resume, kind, name))


def limited(build: Build, **values: Any) -> Harness:
    harness = build(fields={EMAIL: ["ann"]})
    harness.reopen(replace(harness.settings, syncs=(replace(harness.sync, **values),)))
    return harness


def filled(harness: Harness, people: list[str]) -> int:
    return sum(bool(harness.held(one)) for one in people)


def answered(harness: Harness) -> None:
    """All that is asked is answered and verified."""
    harness.answer_all()
    harness.verify()
    harness.clock.time += 60


# --- by a person ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "name"), [(PauseKind.SYNC, "people"), (PauseKind.PROVIDER, "ann"), (PauseKind.ALL, "")]
)
def test_nothing_is_bought_while_it_is_paused(build: Build, kind: PauseKind, name: str) -> None:
    harness = build(fields={EMAIL: ["ann"]})
    crowd(harness, 2)
    pause(harness, kind, name)
    assert harness.ask() == 0
    assert harness.run(room.over_budget(harness.parts, harness.run(harness.ledger.read(pauses.in_force, now=0.0)))) == {
        ("people", "ann", EMAIL)
    }
    [told] = harness.conditions("paused")
    assert (told.why, told.cure, told.blocks) == ("a clean-up", f"Run: syncd resume {name or '--all'}", False)
    harness.reopen()
    assert harness.dispatch() == 0, "a restart changes nothing about it"
    assert resume(harness, kind, name)
    assert not resume(harness, kind, name)
    assert harness.dispatch() == 2
    assert harness.conditions("paused") == []


def test_a_pause_of_one_leaves_the_others(build: Build) -> None:
    ann, bob = (FakeProvider(name, capabilities=ONE_BY_ONE) for name in ("ann", "bob"))
    harness = build(providers=[ann, bob], fields={EMAIL: ["bob"]})
    crowd(harness, 1)
    pause(harness, PauseKind.PROVIDER, "ann")
    pause(harness, PauseKind.SYNC, "others")
    assert harness.ask() == 1


def test_a_pause_ends_by_itself(build: Build) -> None:
    harness = build(fields={EMAIL: ["ann"]})
    crowd(harness, 1)
    pause(harness, PauseKind.ALL, until=harness.clock.now() + HOUR)
    assert harness.ask() == 0
    harness.clock.time += HOUR
    assert harness.dispatch() == 1
    assert not harness.conditions("paused")


def test_what_was_chosen_before_the_pause_is_not_bought(harness: Harness) -> None:
    """The transaction of the intent looks once more."""
    pause(harness, PauseKind.SYNC, "people")
    where: dict[str, Any] = {"sync": "people", "provider": "ann", "crm": "crm", "now": harness.clock.now()}
    with pytest.raises(gates.Shut, match="paused: a clean-up"):
        harness.run(harness.ledger.write(gates.require_open, harness.parts.at_work.owner, **where))


@pytest.mark.parametrize(("kind", "name", "writes"), [("sync", "people", 0), ("all", "", 0), ("provider", "ann", 2)])
def test_what_was_bought_is_received_and_written_later(build: Build, kind: str, name: str, writes: int) -> None:
    harness = build(fields={EMAIL: ["ann"]})
    people = crowd(harness, 2)
    harness.ask()
    pause(harness, PauseKind(kind), name)
    answered(harness)
    assert (harness.writeback(), filled(harness, people)) == (writes, writes)
    assert harness.run(harness.ledger.read(reports.moving, unwritten=["people"])) == 0
    resume(harness, PauseKind(kind), name)
    harness.writeback()
    assert filled(harness, people) == 2


def test_a_pause_goes_with_its_sync_to_another_name(build: Build) -> None:
    harness = build(fields={EMAIL: ["ann"]})
    pause(harness, PauseKind.SYNC, "people")
    changes = Changes(renamed={"people": "customers"}, removed=[], added=[], fields=[])
    harness.run(harness.ledger.write(configured.follow, changes))
    assert [one.name for one in harness.run(harness.ledger.read(pauses.in_force, now=0.0))] == ["customers"]


# --- canary and limits ------------------------------------------------------------------------


def test_a_canary_waits_for_a_person_after_its_first_writes(build: Build) -> None:
    harness = limited(build, canary=2)
    people = crowd(harness, 6)
    assert harness.ask() == 2, "no more is bought than it may write"
    answered(harness)
    harness.writeback()
    assert filled(harness, people) == 2
    assert harness.dispatch() == 0
    [told] = harness.conditions("paused")
    assert (told.who, told.why) == ("people", "its first 2 values are written: look at them, then it may go on")
    harness.reopen()
    assert harness.dispatch() == 0
    assert resume(harness, PauseKind.SYNC, "people")
    assert harness.dispatch() == 4
    answered(harness)
    harness.writeback()
    assert filled(harness, people) == 6


def test_what_is_configured_anew_has_a_canary_of_its_own(build: Build) -> None:
    harness = limited(build, canary=1)
    people = crowd(harness, 3)
    harness.ask()
    answered(harness)
    harness.writeback()
    resume(harness, PauseKind.SYNC, "people")
    email = replace(harness.sync.fields[EMAIL], accept=frozenset({Grade.VALID, Grade.CATCH_ALL}))
    harness.reopen(replace(harness.settings, syncs=(replace(harness.sync, fields={EMAIL: email}),)))
    harness.recover()
    assert harness.dispatch() == 1
    assert filled(harness, people) == 1


def test_a_pause_by_hand_is_no_end_of_a_canary(build: Build) -> None:
    harness = limited(build, canary=2)
    crowd(harness, 4)
    harness.ask()
    pause(harness, PauseKind.SYNC, "people")
    resume(harness, PauseKind.SYNC, "people")
    answered(harness)
    harness.writeback()
    assert harness.conditions("paused") != []


def test_nor_is_one_in_the_middle_of_it(build: Build) -> None:
    harness = limited(build, canary=2, writes_per_hour=1)
    people = crowd(harness, 4)
    harness.ask()
    answered(harness)
    harness.writeback()
    assert filled(harness, people) == 1
    pause(harness, PauseKind.SYNC, "people")
    resume(harness, PauseKind.SYNC, "people")
    harness.clock.time += 1.03 * HOUR
    harness.writeback()
    assert filled(harness, people) == 2
    [told] = harness.conditions("paused")
    assert told.why.startswith("its first 2 values are written")


def test_so_many_values_are_written_in_an_hour(build: Build) -> None:
    harness = limited(build, writes_per_hour=2)
    people = crowd(harness, 5)
    harness.ask()
    answered(harness)
    for _ in range(3):
        harness.writeback()
    assert filled(harness, people) == 2
    harness.clock.time += 1.03 * HOUR
    harness.writeback()
    assert filled(harness, people) == 4


def test_so_many_values_are_written_from_one_pull_to_the_next(build: Build) -> None:
    harness = limited(build, writes_per_run=3)
    people = crowd(harness, 5)
    harness.ask()
    answered(harness)
    harness.clock.time += HOUR
    for _ in range(3):
        harness.writeback()
    assert filled(harness, people) == 3
    harness.pull()
    harness.writeback()
    assert filled(harness, people) == 5


# --- the commands -----------------------------------------------------------------------------


def test_pause_and_resume_on_the_command_line(tmp_path: Path, build: Build) -> None:
    harness = build(fields={EMAIL: ["ann"]})
    config = tmp_path / "config.yaml"
    config.write_text(
        f'ledger: {{ path: "{harness.path}" }}\n'
        f'callbacks: {{ public_url: "https://enrich.example.com", secrets: ["{"x" * 40}"] }}\n'
        "connections:\n  crm: { connector: hubspot, access_token: a }\n  ann: { connector: zeliq, api_key: a }\n"
        "syncs: [{ name: people, crm: crm, object: contacts, every: 15m, fields: { email: { providers: [ann] } } }]\n"
    )

    def say(*words: str) -> str:
        done = CliRunner().invoke(app, [*words, "-c", str(config)])
        assert done.exit_code in (0, 2), done.output
        return done.output

    assert "people is paused until it is resumed." in say("pause", "people", "--reason", "a clean-up")
    assert "ann is paused until " in say("pause", "ann", "--until", "2h")
    assert json.loads(say("pause", "--all", "--json"))["kind"] == "all"
    told = json.loads(say("status", "--json"))
    assert [(one["kind"], one["name"], one["why"]) for one in told["pauses"]] == [
        ("all", "", "paused by hand"), ("provider", "ann", "paused by hand"), ("sync", "people", "a clean-up"),
    ]  # fmt: skip
    assert "people is paused, and buys and writes nothing" in say("status")
    assert "Everything goes on." in say("resume", "--all")
    assert "people goes on." in say("resume", "people")
    assert "people was not paused." in say("resume", "people")
    assert "no provider called 'anne'" in " ".join(say("pause", "anne").replace("│", "").split())
    assert "name a sync or a provider, or say --all" in " ".join(say("pause").replace("│", "").split())
    assert "is over" in say("pause", "ann", "--until", "2020-01-01")
