"""Budgets as a list of their own: each with a scope of syncs, fields and providers, and caps per run, day and month."""

from __future__ import annotations

import json
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from syncd.config import Budget, NamedBudget, load
from syncd.contract.errors import ConfigError, InDoubt
from syncd.contract.model import Field
from syncd.ledger import budgets
from syncd.ledger.store import reading
from syncd.pipeline import reconfigure, room
from syncd.pipeline.spending import budgets_of
from syncd.registry import Registry
from tests.contract.fake_provider import CAPABILITIES, FakeProvider
from tests.places import place_of

from .conftest import Build
from .harness import EMAIL, ONE_BY_ONE, PHONE, Harness

DAY = 86_400.0
BULKS = replace(CAPABILITIES, batch=100)


def limited(harness: Harness, *named: dict[str, Any]) -> Harness:
    """The same harness with these budgets."""
    harness.reopen(replace(harness.settings, budgets=tuple(NamedBudget(**one) for one in named)))
    harness.run(reconfigure.run_once(harness.parts))
    return harness


def two(build: Build, **values: Any) -> Harness:
    """Two providers that are asked one by one; ann before bob."""
    ann, bob = (FakeProvider(name, capabilities=ONE_BY_ONE) for name in ("ann", "bob"))
    return build(providers=[ann, bob], **values)


def asked(harness: Harness) -> dict[tuple[str, str], int]:
    """How many fields were asked for, by provider and field."""
    rows = harness.sql(
        "SELECT attempt.provider, job.field, count(*) FROM attempt JOIN job ON job.id = job_id GROUP BY 1, 2"
    )
    return {(provider, field): n for provider, field, n in rows}


def taken(harness: Harness, field: Field) -> dict[str, int]:
    """Thousandths by kind that the ledger counts for a field."""
    row = harness.sql("SELECT sum(reserved_mc), sum(charged_mc), sum(assumed_mc) FROM spend WHERE field = ?", field)[0]
    return dict(zip(("reserved", "charged", "assumed"), row, strict=True))


def people(harness: Harness, n: int) -> list[str]:
    return [harness.person(f"Ada{i}") for i in range(n)]


# --- scopes -----------------------------------------------------------------------------------


def test_a_budget_on_phones_stops_phones_and_leaves_e_mails(build: Build) -> None:
    harness = limited(
        two(build, fields={EMAIL: ["ann"], PHONE: ["ann"]}), {"name": "dear", "fields": ["phone"], "per_day": 20}
    )
    people(harness, 4)
    harness.ask()
    assert asked(harness) == {("ann", "email"): 4, ("ann", "phone"): 2}
    assert harness.over_budget() == {"dear": "day"}
    harness.clock.time += DAY
    harness.dispatch()
    assert asked(harness)["ann", "phone"] == 4


def test_phones_that_no_budget_has_room_for_do_not_stand_in_the_way_of_e_mails(build: Build) -> None:
    """Not even where more of them wait than a page holds."""
    harness = limited(
        two(build, fields={EMAIL: ["ann"], PHONE: ["ann"]}), {"name": "dear", "fields": ["phone"], "per_day": 0}
    )
    people(harness, 450)
    assert harness.ask() == 450
    assert asked(harness) == {("ann", "email"): 450}
    assert harness.run(room.over_budget(harness.parts)) == {("people", "ann", PHONE)}


def test_a_request_for_both_fields_is_made_for_the_one_that_fits(build: Build) -> None:
    harness = build(
        providers=[FakeProvider("ann", capabilities=replace(BULKS, batch=1))], fields={EMAIL: ["ann"], PHONE: ["ann"]}
    )
    limited(harness, {"name": "dear", "fields": ["phone"], "per_day": 10})
    people(harness, 3)
    harness.ask()
    assert asked(harness) == {("ann", "email"): 3, ("ann", "phone"): 1}


def test_of_two_fields_the_cheaper_one_is_asked_for_first(build: Build) -> None:
    phones_are_cheap = replace(BULKS, batch=1, price={EMAIL: Decimal(10), PHONE: Decimal(1)})
    harness = build(
        providers=[FakeProvider("ann", capabilities=phones_are_cheap)], fields={EMAIL: ["ann"], PHONE: ["ann"]}
    )
    limited(harness, {"name": "small", "per_day": 10})
    people(harness, 1)
    harness.ask()
    assert asked(harness) == {("ann", "phone"): 1}


def test_what_never_fits_is_told_apart_from_what_fits_tomorrow(build: Build) -> None:
    """A phone costs more than the whole budget; e-mails go on, until they have used it up."""
    harness = limited(two(build, fields={EMAIL: ["ann"], PHONE: ["ann"]}), {"name": "small", "per_day": 4})
    people(harness, 3)
    harness.ask()
    [never] = harness.conditions("budget")
    assert (never.detail, never.until) == ("day_too_small", None)
    assert never.why.endswith("the next call may cost 10: such a call never fits into it, whatever was spent")
    for name in ("Bo", "Cy", "Di"):
        harness.person(name)
    harness.ask()
    assert asked(harness) == {("ann", "email"): 4}
    [used_up] = harness.conditions("budget")
    assert (used_up.detail, used_up.what) == ("day", "is used up")
    assert "goes on at" in used_up.why


def test_a_budget_of_one_provider_leaves_the_other(build: Build) -> None:
    harness = limited(
        two(build, fields={EMAIL: ["ann"], PHONE: ["bob"]}), {"name": "first", "providers": ["ann"], "per_day": 1}
    )
    people(harness, 3)
    harness.ask()
    assert asked(harness) == {("ann", "email"): 1, ("bob", "phone"): 3}


def test_every_budget_that_counts_a_call_has_to_have_room(build: Build) -> None:
    harness = two(build, fields={EMAIL: ["ann"], PHONE: ["bob"]}, budget=Budget(credits_per_day=Decimal(100)))
    limited(
        harness,
        {"name": "all", "per_day": 25},
        {"name": "phones", "fields": ["phone"], "per_month": 30},
        {"name": "elsewhere", "syncs": ["customers"], "per_day": 0},
    )
    people(harness, 8)
    harness.ask()
    spent = asked(harness).get(("ann", "email"), 0) + 10 * asked(harness).get(("bob", "phone"), 0)
    assert spent <= 25 < spent + 10, "the least of the caps that count it"
    assert [one.name for one in budgets_of(harness.settings)] == ["all", "phones", "elsewhere", "people"]


def test_a_run_is_a_pull_and_what_it_leads_to_until_the_next(build: Build) -> None:
    harness = limited(two(build, fields={EMAIL: ["ann"]}), {"name": "first", "per_run": 2})
    people(harness, 6)
    assert harness.ask() == 2
    harness.clock.time += 10 * DAY
    assert harness.dispatch() == 0, "only another pull is another run"
    assert harness.over_budget() == {"first": "run"}
    [told] = harness.run(harness.ledger.read(budgets.report, budgets_of(harness.settings), now=harness.clock.now()))
    assert budgets.in_words(told) == "2 of 2 credits in this run: goes on with the next run"
    harness.pull()
    assert harness.dispatch() == 2
    harness.answer_all()  # what is settled late counts for the run that it was made in
    assert harness.sql("SELECT DISTINCT run_id FROM spend ORDER BY 1") == [(1,), (2,)]
    assert harness.dispatch() == 0 or harness.credits()["charged"] == 0


# --- a call for both fields -------------------------------------------------------------------


def bulk(build: Build, *named: dict[str, Any], n: int = 4) -> Harness:
    harness = build(providers=[FakeProvider("ann", capabilities=BULKS)], fields={EMAIL: ["ann"], PHONE: ["ann"]})
    limited(harness, *named)
    people(harness, n)
    harness.clock.time += 60
    return harness


def test_a_bulk_is_reserved_by_field(build: Build) -> None:
    harness = bulk(build)
    harness.ask()
    harness.clock.time += 60
    harness.dispatch()
    assert harness.submissions() == ["accepted"]
    assert taken(harness, EMAIL) == {"reserved": 4_000, "charged": 0, "assumed": 0}
    assert taken(harness, PHONE) == {"reserved": 40_000, "charged": 0, "assumed": 0}


def test_a_bulk_is_cut_to_what_a_budget_of_one_field_has_room_for(build: Build) -> None:
    harness = bulk(build, {"name": "dear", "fields": ["phone"], "per_day": 25})
    harness.ask()
    for _ in range(4):
        harness.clock.time += 60
        harness.dispatch()
    assert asked(harness) == {("ann", "email"): 4, ("ann", "phone"): 2}
    assert taken(harness, PHONE)["reserved"] == 20_000


@pytest.mark.parametrize(
    ("emails", "phones", "charged", "split"),
    [
        (4, 0, 4, (4_000, 0)),
        (0, 1, 10, (0, 10_000)),
        (2, 1, 12, (2_000, 10_000)),
        (2, 1, 18, (3_000, 15_000)),  # dearer than listed, in the same proportion
        (2, 1, 7, (1_167, 5_833)),  # whole thousandths, and their sum is the bill
        (0, 0, 11, (1_000, 10_000)),  # nobody says for what
        (0, 0, 0, (0, 0)),
    ],
)
def test_what_a_bulk_was_charged_is_shared_by_what_it_found(
    build: Build, emails: int, phones: int, charged: int, split: tuple[int, int]
) -> None:
    harness = bulk(build, n=0)
    for n, contact in enumerate(people(harness, 4)):
        if n < emails:
            harness.finds(contact, EMAIL, f"ada{n}@acme.example.com")
        if n < phones:
            harness.finds(contact, PHONE, f"+3363998001{n}")
    harness.ask()
    harness.clock.time += 60
    harness.dispatch()
    [call] = harness.fake.accepted.values()
    harness.call_back(call, json.dumps({**json.loads(harness.fake.body(call)), "charged": str(charged)}).encode())
    assert (taken(harness, EMAIL)["charged"], taken(harness, PHONE)["charged"]) == split
    assert taken(harness, EMAIL)["reserved"] == taken(harness, PHONE)["reserved"] == 0


def test_what_is_in_doubt_counts_in_every_budget_until_somebody_knows(build: Build) -> None:
    harness = bulk(build, {"name": "dear", "fields": ["phone"], "per_day": 40})
    harness.fake.refusals.append(InDoubt("cut off"))
    harness.ask()
    harness.clock.time += 60
    harness.dispatch()
    assert harness.submissions() == ["in_doubt"]
    with reading(place_of(harness.path)) as tx:
        [told] = budgets.report(tx, budgets_of(harness.settings), now=harness.clock.now())
    assert (told["used"], told["left"], told["reserved"]) == (40, 0, 40)


# --- the file ---------------------------------------------------------------------------------

FILE = """\
ledger: {{ path: ledger.db }}
callbacks: {{ public_url: "https://enrich.example.com", secrets: ["{secret}"] }}
budgets:
{budgets}
connections:
  crm: {{ connector: hubspot, access_token: a }}
  ann: {{ connector: zeliq, api_key: a }}
syncs:
  - name: people
    crm: crm
    object: contacts
    every: 15m
    fields: {{ email: {{ providers: [ann] }} }}
    budget: {{ credits_per_day: 5 }}
"""


def read(tmp_path: Path, *budgets: str) -> Any:
    file = tmp_path / "c.yaml"
    file.write_text(FILE.format(secret="x" * 40, budgets="\n".join(f"  - {one}" for one in budgets)))
    return load(file, {}, registry=Registry())


def test_budgets_are_read_with_their_scope(tmp_path: Path) -> None:
    settings = read(tmp_path, "{ name: all, per_day: 500, per_month: 10000, time_zone: Europe/Paris }",
                    "{ name: mail, syncs: [people], fields: [email], providers: [ann], per_run: 1.5 }")  # fmt: skip
    assert settings.budgets[1] == NamedBudget(
        name="mail", syncs=("people",), fields=(Field.EMAIL,), providers=("ann",), per_run=Decimal("1.5")
    )
    assert settings.budgets[0].time_zone == "Europe/Paris"


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ("{ name: all }", "4: budgets[0]: limits nothing; add per_run, per_day or per_month, in credits"),
        (
            "{ name: all, per_day: 1, syncs: [peple] }",
            "budgets[0].syncs[0]: no sync is called 'peple'; did you mean 'people'",
        ),
        ("{ name: all, per_day: 1, providers: [crm] }", "budgets[0].providers[0]: 'crm' is a crm, not a provider"),
        ("{ name: all, per_day: 1, providers: [anne] }", "budgets[0].providers[0]: no connection is called 'anne'"),
        ("{ name: all, per_day: 1, fields: [mail] }", "budgets[0].fields[0]: "),
        ("{ name: people, per_day: 1 }", "budgets[0].name: is taken by the budget of the sync of that name"),
        ("{ name: all, per_week: 1 }", "budgets[0].per_week: unknown key"),
        ("{ name: all, per_day: -1 }", "budgets[0].per_day: must be greater than or equal to 0"),
    ],
)
def test_what_is_wrong_with_a_budget_is_said_where_it_stands(tmp_path: Path, wrong: str, told: str) -> None:
    with pytest.raises(ConfigError) as caught:
        read(tmp_path, wrong)
    assert told in "\n".join(caught.value.problems)
