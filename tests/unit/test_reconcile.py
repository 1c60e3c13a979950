"""What the providers' balances say beside what the ledger was charged: `verify` tells the difference."""

from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path

import pytest
import yaml
from typer.testing import CliRunner

from syncd.cli import app
from syncd.ledger import connections, upkeep
from syncd.ledger.store import reading

from .house import EMAIL, SECRET, House


@pytest.fixture
def bought(house: House) -> House:
    """Calls for three people, one of whose fields is found at one credit; the balance was known before the first."""
    look(house, 100)
    for name in ("Ada", "Bo", "Cy"):
        house.finds(house.person(name), EMAIL, f"{name.lower()}@acme.example.com")
    house.ask()
    return house


def look(house: House, left: int) -> None:
    """The provider says that it has so many left."""
    house.clock.time += 60
    house.run(house.ledger.write(connections.note_balance, "ann", Decimal(left), now=house.clock.now()))


def told(house: House, *names: str) -> list[float]:
    with reading(house.path) as tx:
        found = upkeep.drift(tx, "ann")
    assert found is not None
    return [found[name] for name in names]


def charged(house: House) -> int:
    return int(house.credits()["charged"])


def test_a_balance_seen_once_says_nothing(house: House) -> None:
    for _ in range(3):
        look(house, 100)
    with reading(house.path) as tx:
        assert upkeep.drift(tx, "ann") is None


def test_what_was_charged_is_what_is_gone(bought: House) -> None:
    """The balance falls at the call, the answer tells the price later: once it has come, there is no difference."""
    look(bought, 97)
    assert told(bought, "charged", "drift") == [0, 3]
    assert told(bought, "open")[0] >= 3
    bought.answer_all()
    look(bought, 97)
    assert told(bought, "gone", "charged", "drift", "open") == [3, 3, 0, 0]


def test_credits_that_went_elsewhere_are_told(bought: House) -> None:
    bought.answer_all()
    look(bought, 100 - charged(bought) - 7)
    assert told(bought, "drift") == [7]


def test_charges_that_the_balance_does_not_show_are_told(bought: House) -> None:
    """A forged answer that says it had cost something, say."""
    bought.answer_all()
    look(bought, 100)
    assert told(bought, "gone", "drift") == [0, -charged(bought)]


def test_credits_that_were_bought_hide_nothing(bought: House) -> None:
    bought.answer_all()
    spent = charged(bought)
    look(bought, 100 - spent - 7)
    look(bought, 1_000)
    look(bought, 995)
    assert told(bought, "added", "gone", "drift") == [900 + spent + 7, spent + 12, 12]


def test_a_balance_that_stands_is_kept_twice_at_most(bought: House) -> None:
    for call in list(bought.fake.accepted.values()):
        look(bought, 100)
        bought.call_back(call)
    look(bought, 100)
    look(bought, 100)
    rows = bought.sql("SELECT balance_mc, charged_mc FROM balance ORDER BY at")
    assert rows == [(100_000, 0), (100_000, charged(bought) * 1000)]


def test_verify_tells_a_planted_difference(bought: House, tmp_path: Path) -> None:
    bought.answer_all()
    look(bought, 100 - charged(bought) - 7)
    config = tmp_path / "config.yaml"
    callbacks = {"public_url": "https://enrich.example.com", "secrets": [SECRET]}
    settings = {
        "ledger": {"path": str(bought.path)},
        "callbacks": callbacks,
        "connections": {
            "crm": {"connector": "hubspot", "access_token": "pat-eu1-not-a-real-one"},
            "ann": {"connector": "zeliq", "api_key": "zq-not-a-real-one"},
        },
        "syncs": [
            {
                "name": "people",
                "crm": "crm",
                "object": "contacts",
                "every": "1h",
                "fields": {"email": {"providers": ["ann"]}},
            }
        ],
    }
    config.write_text(yaml.safe_dump(settings))
    config.chmod(0o600)
    done = CliRunner().invoke(app, ["verify", "-c", str(config), "--json"])
    assert done.exit_code == 0, done.output
    assert json.loads(done.stdout)["balances"]["ann"]["drift"] == 7
    plain = CliRunner().invoke(app, ["verify", "-c", str(config)])
    assert "difference" in plain.stdout
    assert "7.0" in plain.stdout
