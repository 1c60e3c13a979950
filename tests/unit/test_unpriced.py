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

from .conftest import Build
from .house import DAY, EMAIL, ONE_BY_ONE, PHONE, SECRET, House

WITHIN = ONE_BY_ONE.answer_within


def with_rule(house: House, settle: Settle, after: float) -> None:
    """What the configuration says of calls that were never answered."""
    rule = ExpiredRule.model_validate({"settle": settle, "after": f"{after / DAY:g}d"})
    known = house.settings.connections
    house.reopen(replace(house.settings, connections={**known, "ann": replace(known["ann"], expired=rule)}))


def expired(build: Build, *, people: int = 1, field: Field = PHONE) -> House:
    """Calls that nobody answers until they are given up."""
    house = build(fields={field: ["ann"]})
    for n in range(people):
        house.finds(house.person(f"Ada{n}"), field, "+33639980012" if field is PHONE else "ada@acme.example.com")
    house.ask()
    house.clock.time += WITHIN + 1
    house.sweep()
    house.verify()
    assert set(house.submissions()) == {"expired"}
    return house


def money(house: House) -> list[float]:
    """[reserved, charged, assumed]"""
    known = house.credits()
    return [float(known["reserved"]), float(known["charged"]), float(house.assumed())]


# --- by rule ----------------------------------------------------------------------------------


def test_l21_an_expired_call_counts_as_charged_after_thirty_days(build: Build) -> None:
    house = expired(build)
    house.clock.time += 29 * DAY
    house.sweep()
    assert money(house) == [10, 0, 0]
    house.clock.time += 1 * DAY
    house.sweep()
    assert money(house) == [0, 0, 10]


@pytest.mark.parametrize(("settle", "assumed"), [(Settle.CHARGED, 10), (Settle.FREE, 0)])
def test_l21_the_rule_of_the_connection_says_how_and_when(build: Build, settle: Settle, assumed: int) -> None:
    house = expired(build)
    with_rule(house, settle, 2 * DAY)
    house.sweep()
    assert house.credits()["reserved"] == 10
    house.clock.time += 2 * DAY
    house.sweep()
    assert money(house) == [0, 0, assumed]
    assert house.submissions() == ["expired"]


def test_l21_what_counts_as_charged_stays_in_the_budget_of_its_days(build: Build) -> None:
    house = expired(build)
    slot = house.sql("SELECT slot, reserved_mc FROM spend")[0][0]
    with_rule(house, Settle.CHARGED, 0)
    house.sweep()
    assert house.sql("SELECT slot, reserved_mc, assumed_mc FROM spend") == [(slot, 0, 10_000)]
    with reading(house.path) as tx:
        scope = Budget(syncs=frozenset({"people"})).scope()
        assert tx.value("spent_since", slot=slot, **scope) == 10_000
        assert tx.value("spent_since", slot=slot + 1, **scope) == 0


@pytest.mark.parametrize("settle", list(Settle))
def test_l21_an_answer_that_comes_after_all_says_what_it_cost(build: Build, settle: Settle) -> None:
    house = expired(build)
    with_rule(house, settle, 0)
    house.sweep()
    house.answer_all()
    assert house.submissions() == ["settled"]
    assert money(house) == [0, 10, 0]


def test_l21_an_answer_that_tells_no_price_is_settled_alike(build: Build) -> None:
    house = build(fields={PHONE: ["ann"]})
    house.finds(house.person(), PHONE, "+33639980012")
    house.ask()
    (call,) = house.fake.accepted.values()
    said = json.loads(house.fake.body(call))
    house.call_back(call, json.dumps({**said, "charged": None}).encode())
    assert (house.submissions(), house.credits()["reserved"]) == (["settled"], 10)
    house.clock.time += WITHIN + 31 * DAY
    house.sweep()
    assert money(house) == [0, 0, 10]


def test_l21_nothing_is_settled_while_a_call_is_under_way_or_in_doubt(build: Build) -> None:
    house = build(fields={PHONE: ["ann"]})
    house.person("Ada")
    house.ask()
    house.fake.refusals.append(InDoubt("cut off"))
    house.person("Bo")
    house.ask()
    with_rule(house, Settle.FREE, 0)
    house.sweep()
    assert house.credits() == {"reserved": 20, "charged": 0, "in_doubt": 10}


# --- by command -------------------------------------------------------------------------------


def say(house: House, *words: str, code: int = 0) -> str:
    config = house.path.with_name("config.yaml")
    settings: dict[str, Any] = {
        "ledger": {"path": str(house.path)},
        "callbacks": {"public_url": "https://enrich.example.com", "secrets": [SECRET]},
        "connections": {
            "crm": {"connector": "hubspot", "access_token": "a-token"},
            **{name: {"connector": "zeliq", "api_key": "a-key"} for name in house.fakes},
        },
        "syncs": [
            {
                "name": "people",
                "crm": "crm",
                "object": "contacts",
                "every": "1h",
                "fields": {"phone": {"providers": [*house.fakes]}},
            }
        ],
    }
    config.write_text(json.dumps(settings))
    done = CliRunner().invoke(app, ["in-doubt", *words, "-c", str(config)])
    if done.exception is not None and not isinstance(done.exception, SystemExit):
        raise done.exception
    assert done.exit_code == code, done.output
    return done.stdout


def ids(house: House, state: str) -> list[str]:
    return [row[0] for row in house.sql("SELECT id FROM submission WHERE state = ? ORDER BY created_at, id", state)]


def doubtful(build: Build, people: int = 3, providers: Sequence[str] = ("ann",)) -> House:
    """A call in doubt for each person, an hour apart."""
    fakes = [FakeProvider(name, capabilities=ONE_BY_ONE) for name in providers]
    house = build(providers=fakes, fields={PHONE: [*providers]})
    for n in range(people):
        house.finds(house.person(f"Ada{n}"), PHONE, f"+3363998001{n}")
        house.fake.refusals.append(InDoubt("503"))
        house.ask()
        house.clock.time += 3700  # longer than the pause after a doubt
    assert house.credits()["in_doubt"] == 10 * people
    return house


def test_l21_a_person_says_what_expired_calls_cost(build: Build) -> None:
    house = expired(build, people=3)
    first, second, third = ids(house, "expired")
    assert [one["id"] for one in json.loads(say(house, "list", "--expired", "--json"))] == [first, second, third]
    say(house, "resolve", first, "--expired", "--charged", "7.5")
    say(house, "resolve", second, "--expired", "--not-charged")
    assert house.credits() == {"reserved": 10, "charged": Decimal("7.5"), "in_doubt": 0}
    assert [one["id"] for one in json.loads(say(house, "list", "--expired", "--json"))] == [third]
    with pytest.raises(Exception, match="is without a price"):
        say(house, "resolve", first, "--expired", "--not-charged")


def test_l21_what_counts_as_charged_by_rule_can_be_corrected(build: Build) -> None:
    house = expired(build)
    with_rule(house, Settle.CHARGED, 0)
    house.sweep()
    assert "charged" in say(house, "list", "--expired")
    say(house, "resolve", "--expired", "--all", "--not-charged", "--yes")
    assert money(house) == [0, 0, 0]
    with reading(house.path) as tx:
        assert unpriced(tx, assumed=True) == []


def test_l21_a_filter_shows_counts_and_credits_first_and_does_nothing(build: Build) -> None:
    house = expired(build, people=3)
    would = json.loads(say(house, "resolve", "--expired", "--provider", "ann", "--not-charged", "--json"))
    assert would["done"] is False
    assert would["counts"] == [{"provider": "ann", "sync": "people", "calls": 3, "people": 3, "credits": 30}]
    assert "Add --yes" in say(house, "resolve", "--expired", "--provider", "ann", "--not-charged")
    assert house.credits()["reserved"] == 30
    say(house, "resolve", "--expired", "--provider", "ann", "--not-charged", "--yes")
    assert house.credits()["reserved"] == 0


def test_l17_many_doubts_are_resolved_at_once(build: Build) -> None:
    house = doubtful(build, people=3)
    would = json.loads(say(house, "resolve", "--provider", "ann", "--not-sent", "--json"))
    assert (would["done"], would["counts"][0]["calls"], would["counts"][0]["credits"]) == (False, 3, 30)
    assert house.credits()["in_doubt"] == 30, "nothing was done"
    done = json.loads(say(house, "resolve", "--provider", "ann", "--not-sent", "--yes", "--json"))
    assert (done["done"], done["decision"]) == (True, "never arrived")
    assert house.credits() == {"reserved": 0, "charged": 0, "in_doubt": 0}
    assert {house.state(str(n), PHONE) for n in (501, 502, 503)} == {"queued"}
    assert house.note("501", PHONE) == "the operator decided: never arrived"
    assert house.dispatch() == 3


def test_l17_what_arrived_waits_for_its_answer_like_any_call(build: Build) -> None:
    house = doubtful(build, people=1)
    say(house, "resolve", "--all", "--sent", "--yes")
    assert (house.state("501", PHONE), house.submissions()) == ("sent", ["accepted"])
    assert house.credits() == {"reserved": 10, "charged": 0, "in_doubt": 0}
    assert "the operator decided: arrived" in [row[0] for row in house.sql("SELECT note FROM event")]
    house.answer_all()
    assert house.credits()["charged"] == 10


def test_l17_only_calls_that_fit_all_that_was_said_are_resolved(build: Build) -> None:
    house = doubtful(build, people=3, providers=("ann", "bob"))
    calls = [row[0] for row in house.sql("SELECT created_at FROM submission ORDER BY created_at")]
    second = datetime.fromtimestamp(calls[1] - 1, UTC).strftime("%Y-%m-%dT%H:%M:%S")
    last = datetime.fromtimestamp(calls[1] + 1, UTC).isoformat()
    found = json.loads(say(house, "resolve", "--since", second, "--until", last, "--not-sent", "--json"))
    assert found["calls"] == [ids(house, "in_doubt")[1]]
    assert json.loads(say(house, "resolve", "--provider", "bob", "--not-sent", "--json"))["calls"] == []
    assert json.loads(say(house, "resolve", "--sync", "others", "--not-sent", "--json"))["calls"] == []
    assert "No call is like this." in say(house, "resolve", "--provider", "bob", "--not-sent", "--yes")


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
    house = doubtful(build, people=1)
    say(house, "resolve", *words, "--yes", code=2)
    assert house.credits()["in_doubt"] == 10


def test_l21_a_decision_changes_nothing_that_an_answer_has_settled_meanwhile(build: Build) -> None:
    house = expired(build)
    (call,) = ids(house, "expired")
    house.answer_all()
    with pytest.raises(Exception, match="is without a price"):
        say(house, "resolve", call, "--expired", "--not-charged")
    house.ledger.close()
    assert not Ledger.change(house.path, _settle_late, call)
    house.reopen()
    assert house.credits()["charged"] == 10


def _settle_late(tx: Any, call: str) -> bool:
    return bool(tx.run("call_priced", id=call, charged_mc=0, shares=None, note=""))


def test_a_doubt_that_was_named_is_decided_at_once(build: Build) -> None:
    house = doubtful(build, people=2)
    first, second = ids(house, "in_doubt")
    assert say(house, "resolve", first, "--not-sent").endswith("1 call: never arrived\n")
    assert "2 calls" not in say(house, "resolve", second, "--give-up")
    with reading(house.path) as tx:
        assert submissions.doubts(tx) == []
    assert "Nothing is in doubt." in say(house, "list")
    assert EMAIL not in house.sync.fields
