"""What the providers' balances say beside what the ledger was charged: only what can't be explained is a difference."""

from __future__ import annotations

import json
import random
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import yaml
from structlog.testing import capture_logs
from typer.testing import CliRunner

from syncd.cli import app
from syncd.contract.model import Submission
from syncd.ledger import connections, reconciliation, reports, unpriced
from syncd.ledger.reconciliation import CONFIRM, LATE
from syncd.ledger.store import reading
from syncd.pipeline import probe
from tests.places import place_of

from .harness import EMAIL, PHONE, SECRET, Harness

MINUTE = 60.0


class Account:
    """A provider's account that holds the worst case of each call when it takes it, and refunds what was not found."""

    def __init__(self, harness: Harness, left: int = 1_000) -> None:
        self.harness, self.left = harness, Decimal(left)
        self.held: dict[str, Decimal] = {}
        self.refunds: list[tuple[float, Decimal]] = []  # when they show, and how much
        self.look()

    def hold(self) -> None:
        """Take the credits of every call that is new."""
        for call in self.harness.fake.accepted.values():
            if call.id not in self.held:
                self.held[call.id] = self._price(call)
                self.left -= self.held[call.id]

    def answer(self, call: Submission, *, refund_after: float = 0.0) -> None:
        found = json.loads(self.harness.fake.body(call))["charged"]
        self.harness.call_back(call)
        self.refunds.append((self.harness.clock.now() + refund_after, self.held[call.id] - Decimal(found)))

    def look(self, after: float = MINUTE) -> None:
        """Time passes, and the daemon looks at the balance."""
        self.harness.clock.time += after
        now = self.harness.clock.now()
        self.left += sum((amount for at, amount in self.refunds if at <= now), Decimal(0))
        self.refunds = [one for one in self.refunds if one[0] > now]
        self.harness.fake.left = self.left
        self.harness.run(probe.run_once(self.harness.parts))

    def settle_down(self) -> None:
        """Nothing is under way, and whatever is late has come."""
        for _ in range(int((LATE + CONFIRM) / MINUTE) + 2):
            self.look()

    def _price(self, call: Submission) -> Decimal:
        price = self.harness.fake.capabilities.price
        return sum((price[field] for request in call.requests for field in request.fields), Decimal(0))


@pytest.fixture
def account(harness: Harness) -> Account:
    """Four people, of whom two have a phone that is found, all asked about."""
    account = Account(harness)
    for name in ("Ada", "Bo", "Cy", "Di"):
        person = harness.person(name)
        if name < "C":
            harness.finds(person, PHONE, "+33639980012")
            harness.finds(person, EMAIL, f"{name.lower()}@acme.example.com")
    harness.ask()
    account.hold()
    return account


def told(harness: Harness) -> dict[str, Any]:
    with reading(place_of(harness.path)) as tx:
        return reconciliation.report(tx)["ann"]


def difference(harness: Harness) -> tuple[float, float]:
    """(what is certain, what the last reading shows)"""
    now = told(harness)
    return now["difference"], now["seen"]


def charged(harness: Harness) -> Decimal:
    return Decimal(harness.credits()["charged"])


def answer_all(account: Account, **how: float) -> None:
    for call in list(account.harness.fake.accepted.values()):
        account.answer(call, **how)


# --- nothing is wrong -------------------------------------------------------------------------


@pytest.mark.parametrize("late", [0.0, 5 * MINUTE, LATE - MINUTE])
def test_l22_a_flawless_run_with_holds_and_refunds_shows_no_difference(account: Account, late: float) -> None:
    harness = account.harness
    with capture_logs() as logs:
        account.look()
        assert difference(harness) == (0, 0), "held, and not yet answered"
        answer_all(account, refund_after=late)
        for _ in range(40):
            account.look()
            assert difference(harness) == (0, 0)
    assert account.left == 1_000 - charged(harness)
    assert charged(harness) > 0
    assert told(harness)["bought"] == 0
    assert not [line for line in logs if line["event"] == "credits_differ"]


def test_a_first_reading_before_any_call_makes_no_difference(harness: Harness) -> None:
    account = Account(harness)
    account.look()
    harness.finds(harness.person(), PHONE, "+33639980012")
    harness.ask()
    account.hold()
    answer_all(account)
    account.settle_down()
    assert charged(harness) > 0
    assert difference(harness) == (0, 0)


@pytest.mark.parametrize("lost", [0, 7])
@pytest.mark.parametrize("seed", range(4))
def test_l22_however_holds_refunds_and_readings_are_mixed_only_what_is_lost_is_told(
    harness: Harness, seed: int, lost: int
) -> None:
    rng = random.Random(seed)
    account = Account(harness)
    told_before = 0.0
    for n in range(40):
        if n == 15:
            account.settle_down()
            account.left -= lost
        person = harness.person(f"Ada{n}")
        if rng.random() < 0.4:
            harness.finds(person, PHONE, f"+3363998{n:04}")
        if rng.random() < 0.4:
            harness.finds(person, EMAIL, f"ada{n}@acme.example.com")
        if n % 5 == 4:
            harness.ask()
            account.hold()
        done = {row[0] for row in harness.sql("SELECT id FROM submission WHERE state = 'settled'")}
        under_way = [call for call in harness.fake.accepted.values() if call.id not in done]
        for call in rng.sample(under_way, len(under_way) // 3):
            account.answer(call, refund_after=rng.uniform(0, LATE))
        account.look(rng.uniform(1, 400))
        certain, seen = difference(harness)
        assert told_before <= certain <= seen <= (lost if n >= 15 else 0), "what is told stays told"
        told_before = certain
    account.settle_down()
    assert difference(harness) == (lost, lost)
    account.left -= 3
    account.settle_down()
    assert difference(harness) == (lost + 3, lost + 3), "and it can still see"


def test_l22_charges_that_the_balance_shows_late_are_no_difference(harness: Harness) -> None:
    """A provider that holds nothing, and charges when it has found somebody, a little after it has told."""
    account = Account(harness)
    harness.finds(harness.person("Ada"), PHONE, "+33639980012")
    harness.ask()
    account.look()
    harness.answer_all()
    account.look()
    assert difference(harness) == (0, 0)
    account.left -= 10
    account.settle_down()
    assert difference(harness) == (0, 0)


def test_a_balance_that_is_not_told_is_not_compared(harness: Harness) -> None:
    harness.fake.left = None
    harness.run(probe.run_once(harness.parts))
    with reading(place_of(harness.path)) as tx:
        assert reconciliation.report(tx) == {}


def test_what_a_call_in_doubt_may_have_cost_is_no_difference(account: Account) -> None:
    answer_all(account)
    account.settle_down()
    for taken in (10, 0):
        account.harness.run(
            account.harness.ledger.write(_doubtful, f"in doubt, {taken} taken", account.harness.clock.now())
        )
        account.left -= taken
        account.settle_down()
        assert difference(account.harness) == (0, 0)


def _doubtful(tx: Any, name: str, now: float) -> None:
    values = {"id": name, "provider": "ann", "sync": "people", "requests": 1, "reserved_mc": 10_000, "now": now}
    tx.run("submission_make", **values, shares='{"email": 10000}', deadline=now, owner=None, refresh=0)
    tx.run("submission_state", id=name, source="intent", target="expired", note="", deadline=None, due=None)


@pytest.mark.parametrize("taken", [0, 10])
def test_l21_what_counts_as_charged_by_rule_makes_no_difference_whatever_it_was(account: Account, taken: int) -> None:
    harness = account.harness
    answer_all(account)
    account.settle_down()
    harness.run(harness.ledger.write(_doubtful, "lost", harness.clock.now()))
    account.left -= taken
    account.settle_down()
    harness.run(harness.ledger.write(unpriced.settle_old, "ann", free=False, before=harness.clock.now()))
    account.settle_down()
    assert difference(harness) == (0, 0)
    account.left -= 3
    account.settle_down()
    assert difference(harness) == (3, 3), "what it may have cost hides nothing that happens later"


# --- something is wrong -----------------------------------------------------------------------


def test_l22_credits_that_went_elsewhere_are_told_once_they_are_certain(account: Account) -> None:
    harness = account.harness
    answer_all(account)
    account.settle_down()
    account.left -= 7
    with capture_logs() as logs:
        account.look()
        assert difference(harness) == (0, 7), "seen, and not certain yet"
        assert "not certain" in reconciliation.in_words(told(harness))
        for _ in range(30):
            account.look()
    assert difference(harness) == (7, 7)
    assert reconciliation.in_words(told(harness)) == "7 credits are gone that were not charged here"
    assert [line["credits"] for line in logs if line["event"] == "credits_differ"] == ["7"], "once"
    account.left -= 5
    account.settle_down()
    assert difference(harness) == (12, 12), "what comes on top is seen, too"


def test_l22_a_difference_is_seen_through_calls_under_way_as_soon_as_they_can_not_explain_it(account: Account) -> None:
    """44 credits are under way: so much may be gone, and not more."""
    harness = account.harness
    account.left -= 30
    account.settle_down()
    assert difference(harness)[0] == 30, "all of them were held: nothing is left that could explain it"
    account.left += 30
    answer_all(account)
    account.settle_down()
    assert difference(harness) == (0, 0), "it came back"


def test_what_comes_back_is_told_and_forgotten(account: Account) -> None:
    """A refund that took hours."""
    harness = account.harness
    answer_all(account, refund_after=6 * 3600.0)
    account.settle_down()
    late = difference(harness)[0]
    assert late == 22, "two phones and two e-mails were not found"
    with capture_logs() as logs:
        account.look(6 * 3600.0)
    assert difference(harness) == (0, 0)
    assert [line["event"] for line in logs if line["event"] == "reconciled"] == ["reconciled"]
    assert told(harness)["bought"] == 0


def test_charges_that_the_balance_does_not_show_are_told(account: Account) -> None:
    """A forged answer that says it had cost something, say: the provider refunds the call in truth."""
    harness = account.harness
    answer_all(account)
    account.left += 10  # a phone that was "found" was refunded
    account.settle_down()
    assert difference(harness) == (-10, -10)
    assert reconciliation.in_words(told(harness)) == "10 credits that were charged here are not gone"


@pytest.mark.parametrize("pack", [20, 1_000])
def test_credits_that_were_bought_hide_nothing(account: Account, pack: int) -> None:
    harness = account.harness
    answer_all(account)
    account.settle_down()
    account.left -= 7
    account.look()
    account.left += pack
    account.look()
    account.left -= 5
    account.settle_down()
    assert told(harness)["bought"] == pack
    assert difference(harness) == (12, 12)


def test_credits_that_were_bought_amid_many_calls_are_no_difference(account: Account) -> None:
    harness = account.harness
    account.left += 500
    account.look()
    answer_all(account, refund_after=MINUTE)
    account.settle_down()
    assert difference(harness) == (0, 0)
    account.left -= 7
    account.settle_down()
    assert difference(harness) == (7, 7)


def test_the_clock_may_be_set_back(account: Account) -> None:
    answer_all(account)
    account.settle_down()
    account.look(-3 * 86_400.0)
    account.settle_down()
    assert difference(account.harness) == (0, 0)
    account.left -= 7
    account.settle_down()
    assert difference(account.harness) == (7, 7)


def test_it_is_remembered_over_a_restart(account: Account) -> None:
    harness = account.harness
    answer_all(account)
    account.settle_down()
    account.left -= 7
    account.look()
    harness.reopen()
    account.settle_down()
    assert difference(harness) == (7, 7)


def test_few_readings_are_kept(account: Account) -> None:
    answer_all(account)
    for _ in range(100):
        account.look()
    assert account.harness.sql("SELECT count(*) FROM balance")[0][0] <= LATE / MINUTE + 2


# --- who is told ------------------------------------------------------------------------------


@pytest.fixture
def config(account: Account, tmp_path: Path) -> Path:
    """The configuration of a ledger in which seven credits are missing."""
    answer_all(account)
    account.settle_down()
    account.left -= 7
    account.settle_down()
    field = {"email": {"providers": ["ann"]}}
    settings = {
        "ledger": {"path": str(account.harness.path)},
        "callbacks": {"public_url": "https://enrich.example.com", "secrets": [SECRET]},
        "connections": {
            "crm": {"connector": "hubspot", "access_token": "pat-eu1-not-a-real-one"},
            "ann": {"connector": "zeliq", "api_key": "zq-not-a-real-one"},
        },
        "syncs": [{"name": "people", "crm": "crm", "object": "contacts", "every": "1h", "fields": field}],
    }
    path = tmp_path / "config.yaml"
    path.write_text(yaml.safe_dump(settings))
    path.chmod(0o600)
    return path


def say(config: Path, *words: str, code: int = 0) -> str:
    done = CliRunner().invoke(app, [*words, "-c", str(config)])
    assert done.exit_code == code, done.output
    return done.stdout


def test_l22_status_verify_and_reconcile_tell_a_difference(config: Path) -> None:
    assert json.loads(say(config, "verify", "--json"))["balances"]["ann"]["difference"] == 7
    assert json.loads(say(config, "status", "--json"))["reconciliation"]["ann"]["difference"] == 7
    assert json.loads(say(config, "reconcile", "--json"))["balances"]["ann"]["difference"] == 7
    for command in ("verify", "status", "reconcile"):
        assert "7 credits are gone that were not charged here" in say(config, command)


def test_a_difference_that_is_known_is_measured_anew(config: Path, account: Account) -> None:
    assert "All balances move as the charges say." in say(config, "reconcile", "--accept", "ann")
    account.left -= 4
    account.settle_down()
    assert difference(account.harness) == (4, 4)
    say(config, "reconcile", "--accept", "nobody", code=2)


def test_the_ledger_that_a_report_reads_need_not_know_any_balance(harness: Harness) -> None:
    with reading(place_of(harness.path)) as tx:
        assert reports.status(tx)["reconciliation"] == {}
    assert harness.run(harness.ledger.write(connections.note_balance, "ann", Decimal(5), now=0.0)) is None
