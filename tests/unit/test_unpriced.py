"""Calls of which nobody told what they cost, or whether they arrived: settled by rule, one by one, or by filter."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from typer.testing import CliRunner

from syncd.cli import app
from syncd.config import ExpiredRule, Settle
from syncd.contract.errors import InDoubt
from syncd.contract.model import Field
from syncd.ledger import submissions
from syncd.ledger.budgets import Budget
from syncd.ledger.store import Ledger, reading
from syncd.ledger.unpriced import unpriced
from tests.contract.fake_provider import FakeProvider
from tests.places import place_of

from .conftest import Build
from .harness import DAY, EMAIL, ONE_BY_ONE, PHONE, SECRET, Harness

WITHIN = ONE_BY_ONE.answer_within


def with_rule(harness: Harness, settle: Settle, after: float) -> None:
    """What the configuration says of calls that were never answered."""
    rule = ExpiredRule.model_validate({"settle": settle, "after": f"{after / DAY:g}d"})
    known = harness.settings.connections
    harness.reopen(replace(harness.settings, connections={**known, "ann": replace(known["ann"], expired=rule)}))


def expired(build: Build, *, people: int = 1, field: Field = PHONE) -> Harness:
    """Calls that nobody answers until they are given up."""
    harness = build(fields={field: ["ann"]})
    for n in range(people):
        harness.finds(harness.person(f"Ada{n}"), field, "+33639980012" if field is PHONE else "ada@acme.example.com")
    harness.ask()
    harness.clock.time += WITHIN + 1
    harness.sweep()
    harness.verify()
    assert set(harness.submissions()) == {"expired"}
    return harness


def money(harness: Harness) -> list[float]:
    """[reserved, charged, assumed]"""
    known = harness.credits()
    return [float(known["reserved"]), float(known["charged"]), float(harness.assumed())]


# --- by rule ----------------------------------------------------------------------------------


def test_l21_an_expired_call_counts_as_charged_after_thirty_days(build: Build) -> None:
    harness = expired(build)
    harness.clock.time += 29 * DAY
    harness.sweep()
    assert money(harness) == [10, 0, 0]
    harness.clock.time += 1 * DAY
    harness.sweep()
    assert money(harness) == [0, 0, 10]


@pytest.mark.parametrize(("settle", "assumed"), [(Settle.CHARGED, 10), (Settle.FREE, 0)])
def test_l21_the_rule_of_the_connection_says_how_and_when(build: Build, settle: Settle, assumed: int) -> None:
    harness = expired(build)
    with_rule(harness, settle, 2 * DAY)
    harness.sweep()
    assert harness.credits()["reserved"] == 10
    harness.clock.time += 2 * DAY
    harness.sweep()
    assert money(harness) == [0, 0, assumed]
    assert harness.submissions() == ["expired"]


def test_l21_what_counts_as_charged_stays_in_the_budget_of_its_days(build: Build) -> None:
    harness = expired(build)
    slot = harness.sql("SELECT slot, reserved_mc FROM spend")[0][0]
    with_rule(harness, Settle.CHARGED, 0)
    harness.sweep()
    assert harness.sql("SELECT slot, reserved_mc, assumed_mc FROM spend") == [(slot, 0, 10_000)]
    with reading(place_of(harness.path)) as tx:
        scope = Budget(syncs=frozenset({"people"})).scope()
        assert tx.value("spent_since", slot=slot, **scope) == 10_000
        assert tx.value("spent_since", slot=slot + 1, **scope) == 0


@pytest.mark.parametrize("settle", list(Settle))
def test_l21_an_answer_that_comes_after_all_says_what_it_cost(build: Build, settle: Settle) -> None:
    harness = expired(build)
    with_rule(harness, settle, 0)
    harness.sweep()
    harness.answer_all()
    assert harness.submissions() == ["settled"]
    assert money(harness) == [0, 10, 0]


def test_l21_an_answer_that_tells_no_price_is_settled_alike(build: Build) -> None:
    harness = build(fields={PHONE: ["ann"]})
    harness.finds(harness.person(), PHONE, "+33639980012")
    harness.ask()
    (call,) = harness.fake.accepted.values()
    said = json.loads(harness.fake.body(call))
    harness.call_back(call, json.dumps({**said, "charged": None}).encode())
    assert (harness.submissions(), harness.credits()["reserved"]) == (["settled"], 10)
    harness.clock.time += WITHIN + 31 * DAY
    harness.sweep()
    assert money(harness) == [0, 0, 10]


def test_l21_nothing_is_settled_while_a_call_is_under_way_or_in_doubt(build: Build) -> None:
    harness = build(fields={PHONE: ["ann"]})
    harness.person("Ada")
    harness.ask()
    harness.fake.refusals.append(InDoubt("cut off"))
    harness.person("Bo")
    harness.ask()
    with_rule(harness, Settle.FREE, 0)
    harness.sweep()
    assert harness.credits() == {"reserved": 20, "charged": 0, "in_doubt": 10}


# --- by command -------------------------------------------------------------------------------


def say(harness: Harness, *words: str, code: int = 0) -> str:
    config = harness.path.with_name("config.yaml")
    settings: dict[str, Any] = {
        "ledger": {"path": str(harness.path)},
        "callbacks": {"public_url": "https://enrich.example.com", "secrets": [SECRET]},
        "connections": {
            "crm": {"connector": "hubspot", "access_token": "a-token"},
            **{name: {"connector": "zeliq", "api_key": "a-key"} for name in harness.fakes},
        },
        "syncs": [
            {
                "name": "people",
                "crm": "crm",
                "object": "contacts",
                "every": "1h",
                "fields": {"phone": {"providers": [*harness.fakes]}},
            }
        ],
    }
    config.write_text(json.dumps(settings))
    done = CliRunner().invoke(app, ["in-doubt", *words, "-c", str(config)])
    if done.exception is not None and not isinstance(done.exception, SystemExit):
        raise done.exception
    assert done.exit_code == code, done.output
    return done.stdout


def ids(harness: Harness, state: str) -> list[str]:
    return [row[0] for row in harness.sql("SELECT id FROM submission WHERE state = ? ORDER BY created_at, id", state)]


def doubtful(build: Build, people: int = 3, providers: Sequence[str] = ("ann",)) -> Harness:
    """A call in doubt for each person, an hour apart."""
    fakes = [FakeProvider(name, capabilities=ONE_BY_ONE) for name in providers]
    harness = build(providers=fakes, fields={PHONE: [*providers]})
    for n in range(people):
        harness.finds(harness.person(f"Ada{n}"), PHONE, f"+3363998001{n}")
        harness.fake.refusals.append(InDoubt("503"))
        harness.ask()
        harness.clock.time += 3700  # longer than the pause after a doubt
    assert harness.credits()["in_doubt"] == 10 * people
    return harness


def test_l21_a_person_says_what_expired_calls_cost(build: Build) -> None:
    harness = expired(build, people=3)
    first, second, third = ids(harness, "expired")
    assert [one["id"] for one in json.loads(say(harness, "list", "--expired", "--json"))] == [first, second, third]
    say(harness, "resolve", first, "--expired", "--charged", "7.5")
    say(harness, "resolve", second, "--expired", "--not-charged")
    assert harness.credits() == {"reserved": 10, "charged": Decimal("7.5"), "in_doubt": 0}
    assert [one["id"] for one in json.loads(say(harness, "list", "--expired", "--json"))] == [third]
    with pytest.raises(Exception, match="is without a price"):
        say(harness, "resolve", first, "--expired", "--not-charged")


def test_l21_what_counts_as_charged_by_rule_can_be_corrected(build: Build) -> None:
    harness = expired(build)
    with_rule(harness, Settle.CHARGED, 0)
    harness.sweep()
    assert "charged" in say(harness, "list", "--expired")
    say(harness, "resolve", "--expired", "--all", "--not-charged", "--yes")
    assert money(harness) == [0, 0, 0]
    with reading(place_of(harness.path)) as tx:
        assert unpriced(tx, assumed=True) == []


def test_l21_a_filter_shows_counts_and_credits_first_and_does_nothing(build: Build) -> None:
    harness = expired(build, people=3)
    would = json.loads(say(harness, "resolve", "--expired", "--provider", "ann", "--not-charged", "--json"))
    assert would["done"] is False
    assert would["counts"] == [{"provider": "ann", "sync": "people", "calls": 3, "people": 3, "credits": 30}]
    assert "Add --yes" in say(harness, "resolve", "--expired", "--provider", "ann", "--not-charged")
    assert harness.credits()["reserved"] == 30
    say(harness, "resolve", "--expired", "--provider", "ann", "--not-charged", "--yes")
    assert harness.credits()["reserved"] == 0


def test_l17_many_doubts_are_resolved_at_once(build: Build) -> None:
    harness = doubtful(build, people=3)
    would = json.loads(say(harness, "resolve", "--provider", "ann", "--not-sent", "--json"))
    assert (would["done"], would["counts"][0]["calls"], would["counts"][0]["credits"]) == (False, 3, 30)
    assert harness.credits()["in_doubt"] == 30, "nothing was done"
    done = json.loads(say(harness, "resolve", "--provider", "ann", "--not-sent", "--yes", "--json"))
    assert (done["done"], done["decision"]) == (True, "never arrived")
    assert harness.credits() == {"reserved": 0, "charged": 0, "in_doubt": 0}
    assert {harness.state(str(n), PHONE) for n in (501, 502, 503)} == {"queued"}
    assert harness.note("501", PHONE) == "the operator decided: never arrived"
    assert harness.dispatch() == 3


def test_l17_what_arrived_waits_for_its_answer_like_any_call(build: Build) -> None:
    harness = doubtful(build, people=1)
    say(harness, "resolve", "--all", "--sent", "--yes")
    assert (harness.state("501", PHONE), harness.submissions()) == ("sent", ["accepted"])
    assert harness.credits() == {"reserved": 10, "charged": 0, "in_doubt": 0}
    assert "the operator decided: arrived" in [row[0] for row in harness.sql("SELECT note FROM event")]
    harness.answer_all()
    assert harness.credits()["charged"] == 10


def test_l17_only_calls_that_fit_all_that_was_said_are_resolved(build: Build) -> None:
    harness = doubtful(build, people=3, providers=("ann", "bob"))
    calls = [row[0] for row in harness.sql("SELECT created_at FROM submission ORDER BY created_at")]
    second = datetime.fromtimestamp(calls[1] - 1, UTC).strftime("%Y-%m-%dT%H:%M:%S")
    last = datetime.fromtimestamp(calls[1] + 1, UTC).isoformat()
    found = json.loads(say(harness, "resolve", "--since", second, "--until", last, "--not-sent", "--json"))
    assert found["calls"] == [ids(harness, "in_doubt")[1]]
    assert json.loads(say(harness, "resolve", "--provider", "bob", "--not-sent", "--json"))["calls"] == []
    assert json.loads(say(harness, "resolve", "--sync", "others", "--not-sent", "--json"))["calls"] == []
    assert "No call is like this." in say(harness, "resolve", "--provider", "bob", "--not-sent", "--yes")


@pytest.mark.parametrize(
    "words",
    [
        ("--not-sent",),
        ("a-call", "--all", "--not-sent"),
        ("--all",),
        ("--all", "--sent", "--not-sent"),
        ("--all", "--expired"),
        ("--all", "--expired", "--not-sent"),
        ("--all", "--charged", "5"),
        ("--all", "--expired", "--charged", "-1"),
        ("--all", "--expired", "--charged", "nan"),
        ("--all", "--expired", "--charged", "many"),
        ("--all", "--expired", "--charged", "1", "--not-charged"),
        ("--provider", "nobody", "--not-sent"),
        ("--since", "yesterday", "--not-sent"),
    ],
)
def test_l21_what_is_not_clear_is_refused(build: Build, words: tuple[str, ...]) -> None:
    harness = doubtful(build, people=1)
    say(harness, "resolve", *words, "--yes", code=2)
    assert harness.credits()["in_doubt"] == 10


def test_l21_a_decision_changes_nothing_that_an_answer_has_settled_meanwhile(build: Build) -> None:
    harness = expired(build)
    (call,) = ids(harness, "expired")
    harness.answer_all()
    with pytest.raises(Exception, match="is without a price"):
        say(harness, "resolve", call, "--expired", "--not-charged")
    harness.ledger.close()
    assert not Ledger.change(place_of(harness.path), _settle_late, call)
    harness.reopen()
    assert harness.credits()["charged"] == 10


def _settle_late(tx: Any, call: str) -> bool:
    return bool(tx.run("call_priced", id=call, charged_mc=0, shares=None, note=""))


def test_a_doubt_that_was_named_is_decided_at_once(build: Build) -> None:
    harness = doubtful(build, people=2)
    first, second = ids(harness, "in_doubt")
    assert say(harness, "resolve", first, "--not-sent").endswith("1 call: never arrived\n")
    assert "2 calls" not in say(harness, "resolve", second, "--give-up")
    with reading(place_of(harness.path)) as tx:
        assert submissions.doubts(tx) == []
    assert "Nothing is in doubt." in say(harness, "list")
    assert EMAIL not in harness.sync.fields
