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
from .house import EMAIL, ONE_BY_ONE, House

HOUR = 3_600.0


def crowd(house: House, n: int, first: int = 0) -> list[str]:
    """So many people who can be found."""
    found = []
    for i in range(first, first + n):
        found.append(house.person(f"Ada{i}"))
        house.finds(found[-1], EMAIL, f"ada{i}@acme.example.com")
    return found


def pause(house: House, kind: PauseKind, name: str = "", *, until: float | None = None) -> None:
    now = house.clock.now()
    house.run(house.ledger.write(pauses.pause, kind, name, "a clean-up", until=until, by="ada", now=now))


def resume(house: House, kind: PauseKind, name: str = "") -> bool:
    return house.run(house.ledger.write(pauses.resume, kind, name))


def limited(build: Build, **values: Any) -> House:
    house = build(fields={EMAIL: ["ann"]})
    house.reopen(replace(house.settings, syncs=(replace(house.sync, **values),)))
    return house


def filled(house: House, people: list[str]) -> int:
    return sum(bool(house.held(one)) for one in people)


def answered(house: House) -> None:
    """All that is asked is answered and verified."""
    house.answer_all()
    house.verify()
    house.clock.time += 60


# --- by a person ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "name"), [(PauseKind.SYNC, "people"), (PauseKind.PROVIDER, "ann"), (PauseKind.ALL, "")]
)
def test_nothing_is_bought_while_it_is_paused(build: Build, kind: PauseKind, name: str) -> None:
    house = build(fields={EMAIL: ["ann"]})
    crowd(house, 2)
    pause(house, kind, name)
    assert house.ask() == 0
    assert house.run(room.over_budget(house.parts, house.run(house.ledger.read(pauses.in_force, now=0.0)))) == {
        ("people", "ann", EMAIL)
    }
    [told] = house.conditions("paused")
    assert (told.why, told.cure, told.blocks) == ("a clean-up", f"Run: syncd resume {name or '--all'}", False)
    house.reopen()
    assert house.dispatch() == 0, "a restart changes nothing about it"
    assert resume(house, kind, name)
    assert not resume(house, kind, name)
    assert house.dispatch() == 2
    assert house.conditions("paused") == []


def test_a_pause_of_one_leaves_the_others(build: Build) -> None:
    ann, bob = (FakeProvider(name, capabilities=ONE_BY_ONE) for name in ("ann", "bob"))
    house = build(providers=[ann, bob], fields={EMAIL: ["bob"]})
    crowd(house, 1)
    pause(house, PauseKind.PROVIDER, "ann")
    pause(house, PauseKind.SYNC, "others")
    assert house.ask() == 1


def test_a_pause_ends_by_itself(build: Build) -> None:
    house = build(fields={EMAIL: ["ann"]})
    crowd(house, 1)
    pause(house, PauseKind.ALL, until=house.clock.now() + HOUR)
    assert house.ask() == 0
    house.clock.time += HOUR
    assert house.dispatch() == 1
    assert not house.conditions("paused")


def test_what_was_chosen_before_the_pause_is_not_bought(house: House) -> None:
    """The transaction of the intent looks once more."""
    pause(house, PauseKind.SYNC, "people")
    where: dict[str, Any] = {"sync": "people", "provider": "ann", "crm": "crm", "now": house.clock.now()}
    with pytest.raises(gates.Shut, match="paused: a clean-up"):
        house.run(house.ledger.write(gates.require_open, house.parts.at_work.owner, **where))


@pytest.mark.parametrize(("kind", "name", "writes"), [("sync", "people", 0), ("all", "", 0), ("provider", "ann", 2)])
def test_what_was_bought_is_received_and_written_later(build: Build, kind: str, name: str, writes: int) -> None:
    house = build(fields={EMAIL: ["ann"]})
    people = crowd(house, 2)
    house.ask()
    pause(house, PauseKind(kind), name)
    answered(house)
    assert (house.writeback(), filled(house, people)) == (writes, writes)
    assert house.run(house.ledger.read(reports.moving, unwritten=["people"])) == 0
    resume(house, PauseKind(kind), name)
    house.writeback()
    assert filled(house, people) == 2


def test_a_pause_goes_with_its_sync_to_another_name(build: Build) -> None:
    house = build(fields={EMAIL: ["ann"]})
    pause(house, PauseKind.SYNC, "people")
    changes = Changes(renamed={"people": "customers"}, removed=[], added=[], fields=[])
    house.run(house.ledger.write(configured.follow, changes))
    assert [one.name for one in house.run(house.ledger.read(pauses.in_force, now=0.0))] == ["customers"]


# --- canary and limits ------------------------------------------------------------------------


def test_a_canary_waits_for_a_person_after_its_first_writes(build: Build) -> None:
    house = limited(build, canary=2)
    people = crowd(house, 6)
    assert house.ask() == 2, "no more is bought than it may write"
    answered(house)
    house.writeback()
    assert filled(house, people) == 2
    assert house.dispatch() == 0
    [told] = house.conditions("paused")
    assert (told.who, told.why) == ("people", "its first 2 values are written: look at them, then it may go on")
    house.reopen()
    assert house.dispatch() == 0
    assert resume(house, PauseKind.SYNC, "people")
    assert house.dispatch() == 4
    answered(house)
    house.writeback()
    assert filled(house, people) == 6


def test_what_is_configured_anew_has_a_canary_of_its_own(build: Build) -> None:
    house = limited(build, canary=1)
    people = crowd(house, 3)
    house.ask()
    answered(house)
    house.writeback()
    resume(house, PauseKind.SYNC, "people")
    email = replace(house.sync.fields[EMAIL], accept=frozenset({Grade.VALID, Grade.CATCH_ALL}))
    house.reopen(replace(house.settings, syncs=(replace(house.sync, fields={EMAIL: email}),)))
    house.recover()
    assert house.dispatch() == 1
    assert filled(house, people) == 1


def test_a_pause_by_hand_is_no_end_of_a_canary(build: Build) -> None:
    house = limited(build, canary=2)
    crowd(house, 4)
    house.ask()
    pause(house, PauseKind.SYNC, "people")
    resume(house, PauseKind.SYNC, "people")
    answered(house)
    house.writeback()
    assert house.conditions("paused") != []


def test_so_many_values_are_written_in_an_hour(build: Build) -> None:
    house = limited(build, writes_per_hour=2)
    people = crowd(house, 5)
    house.ask()
    answered(house)
    for _ in range(3):
        house.writeback()
    assert filled(house, people) == 2
    house.clock.time += 1.03 * HOUR
    house.writeback()
    assert filled(house, people) == 4


def test_so_many_values_are_written_from_one_pull_to_the_next(build: Build) -> None:
    house = limited(build, writes_per_run=3)
    people = crowd(house, 5)
    house.ask()
    answered(house)
    house.clock.time += HOUR
    for _ in range(3):
        house.writeback()
    assert filled(house, people) == 3
    house.pull()
    house.writeback()
    assert filled(house, people) == 5


# --- the commands -----------------------------------------------------------------------------


def test_pause_and_resume_on_the_command_line(tmp_path: Path, build: Build) -> None:
    house = build(fields={EMAIL: ["ann"]})
    config = tmp_path / "config.yaml"
    config.write_text(
        f'ledger: {{ path: "{house.path}" }}\n'
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
