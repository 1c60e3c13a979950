"""Each written value is found with its run, what was there before, who found it, why it was written, and its cost."""

from __future__ import annotations

import json
import random
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from syncd.ledger import costs, reports, reviews
from syncd.people.identity import Identity
from tests.contract.fake_provider import CAPABILITIES, FakeProvider

from .conftest import Build
from .harness import EMAIL, PHONE, Harness

PRICES = {"ann": {"email": Decimal(1), "phone": Decimal(10)}}


def journey(harness: Harness, contact: str, prices: costs.Prices = PRICES) -> dict[str, Any]:
    told = harness.run(harness.ledger.read(reports.journey, harness.ref(contact), prices))
    assert told is not None
    return {job["field"]: job for job in told["jobs"]}


def test_a_written_value_is_told_with_all_that_led_to_it(build: Build) -> None:
    harness = build(fields={EMAIL: ["ann"]})
    harness.pull()
    ada = harness.person()
    harness.finds(ada, EMAIL, "ada@acme.example.com")
    harness.ask()
    harness.answer_all()
    harness.finish()
    [write] = journey(harness, ada)["email"]["writes"]
    told = {k: write[k] for k in ("run", "property", "before", "after", "provider", "policy", "found", "accepted_by")}
    assert told == {
        "run": 2,
        "property": "email",
        "before": "",
        "after": "ada@acme.example.com",
        "provider": "ann",
        "policy": "fill_blank",
        "found": "valid by ann",
        "accepted_by": None,
    }
    assert write["cost"] == 1.0
    assert write["undo"] is None


def test_a_value_that_a_person_accepted_says_who_it_was(build: Build) -> None:
    harness = build(fields={EMAIL: ["ann"]})
    ada = harness.person()
    harness.finds(ada, EMAIL, "ada@acme.example.com")
    harness.fake.says[ada, EMAIL] = (Identity(first_name="Ada", last_name="Test", company="Elsewhere"),)
    harness.ask()
    harness.answer_all()
    harness.verify()
    [review] = harness.run(harness.ledger.read(reviews.waiting))
    harness.run(harness.ledger.write(reviews.decide, [review.id], reviews.ACCEPTED, "maria", now=harness.clock.now()))
    harness.verify()
    harness.finish()
    [write] = journey(harness, ada)["email"]["writes"]
    assert (write["state"], write["accepted_by"]) == ("written", "maria")


@pytest.mark.parametrize("bill", ["13", "12.998", "40.001", "0.002"])
def test_the_parts_of_a_bulk_are_exactly_its_bill(build: Build, bill: str) -> None:
    """As listed, cheaper, dearer: nothing of it is lost, and who was not found bears nothing."""
    harness = build(providers=[FakeProvider("ann", capabilities=CAPABILITIES)])
    people = [harness.person(name) for name in ("Ada", "Bo", "Cy", "Di")]
    for contact in people[:3]:
        harness.finds(contact, EMAIL, f"{contact}@acme.example.com")
    harness.finds(people[0], PHONE, "+33639980123")
    harness.pull()
    harness.plan()
    harness.clock.time += 60
    harness.dispatch()
    [submission] = harness.fake.accepted.values()
    said = json.loads(harness.fake.body(submission))
    harness.call_back(submission, json.dumps({**said, "charged": bill}).encode())
    harness.finish()
    parts = {(c, field): job["calls"][0]["cost"] for c in people for field, job in journey(harness, c).items()}
    assert sum(Decimal(str(part)) for part in parts.values()) == Decimal(bill)
    found = {*((contact, "email") for contact in people[:3]), (people[0], "phone")}
    assert all(part == 0 for key, part in parts.items() if key not in found)
    assert journey(harness, people[0])["phone"]["writes"][0]["cost"] == parts[people[0], "phone"]


def test_a_call_of_which_nobody_told_the_bill_has_no_parts_yet(build: Build) -> None:
    harness = build(fields={EMAIL: ["ann"]})
    ada = harness.person()
    harness.ask()
    [call] = journey(harness, ada)["email"]["calls"]
    assert (call["charged"], call["cost"]) == (None, None)


@given(
    st.integers(0, 10**9),
    st.lists(st.decimals(0, 100, places=3), min_size=1, max_size=100),
    st.randoms(use_true_random=False),
)
def test_the_sum_of_all_shares_is_the_whole(total: int, weights: list[Decimal], rng: random.Random) -> None:
    parts = costs.shares(total, weights)
    assert sum(parts) == total
    assert min(parts) >= 0
    if sum(weights):
        assert all(abs(part - total * weight / sum(weights)) < 1 for part, weight in zip(parts, weights, strict=True))
    else:
        assert max(parts) - min(parts) <= 1
    place = rng.randrange(len(parts))
    assert weights[place] or not sum(weights) or parts[place] == 0, "who was not found bears nothing of it"
