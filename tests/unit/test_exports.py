"""All that is held on a person can be handed to them; and it is told who was newly enriched."""

import csv
import io
import json
import stat
from pathlib import Path

import pytest

from syncd.contract.model import Identity
from syncd.ledger import exports, forgetting
from tests.contract.fake_provider import CAPABILITIES, FakeProvider

from .conftest import Build
from .harness import EMAIL, Harness
from .test_forgetting import FOUND, MAIL, NUMBER, PROFILE, command, left_of, lived

__all__ = ["lived"]


def test_all_that_is_held_on_a_person_is_told(lived: Harness) -> None:
    """In two CRMs, and of a bulk that speaks of others only what is theirs."""
    told = json.loads(command(lived, "export", MAIL))
    text = json.dumps(told)
    assert [one["contact"] for one in told["records"]] == ["crm/contacts/501", "other/contacts/901"]
    assert all(value in text for value in (FOUND, NUMBER, PROFILE, "+442079460456", "Quendolin Ltd"))
    assert {one["provider"] for one in told["told_to_providers"]} == {"ann"}
    assert told["raw_answers"][0]["said"][0]["candidates"]
    assert told["raw_answers"][0]["at"].endswith("Z")
    assert "Bo" not in text
    assert "bo@acme" not in text


@pytest.mark.parametrize(("body", "said"), [(b'{"x": 1}', {"x": 1}), (b"no JSON \xff", "no JSON \ufffd")])
def test_an_answer_that_speaks_of_nobody_else_is_told_as_it_came(build: Build, body: bytes, said: object) -> None:
    harness = build(fields={EMAIL: ["ann"]})
    contact = harness.person("Ada")
    harness.ask()
    for submission in harness.fake.accepted.values():
        harness.call_back(submission, body=body)
    told = json.loads(command(harness, "export", f"crm/contacts/{contact}"))
    assert [one["said"] for one in told["raw_answers"]] == [said]


def test_it_goes_into_a_new_file_that_only_its_owner_can_read(lived: Harness, tmp_path: Path) -> None:
    out = tmp_path / "ada.json"
    command(lived, "export", "crm/contacts/501", "--out", str(out))
    assert stat.S_IMODE(out.stat().st_mode) == 0o600
    assert json.loads(out.read_text("utf-8"))["records"]
    assert command(lived, "export", "crm/contacts/501", "--out", str(out), code=1) == ""


def test_of_somebody_who_was_erased_nothing_is_told(lived: Harness) -> None:
    command(lived, "forget", MAIL, "--yes")
    assert command(lived, "export", MAIL, code=1) == ""


def test_who_was_newly_enriched_is_told_for_a_notice(build: Build) -> None:
    harness = build(providers=[FakeProvider("ann", capabilities=CAPABILITIES)], fields={EMAIL: ["ann"]})
    first = harness.crm.add(
        Identity(first_name="=Ada", last_name="Stone", linkedin_url="https://www.linkedin.com/in/ada")
    )
    harness.finds(first, EMAIL, "ada@acme.example.com")
    _enrich(harness)
    harness.clock.time += 86_400
    later = harness.clock.now()
    second = harness.person("Bo")
    harness.finds(second, EMAIL, "bo@acme.example.com")
    _enrich(harness)
    everybody = json.loads(command(harness, "export", "--new-since", "2000-01-01"))
    assert [(one["contact"], one["value"], one["source"]) for one in everybody] == [
        (f"crm/contacts/{first}", "ada@acme.example.com", "ann"),
        (f"crm/contacts/{second}", "bo@acme.example.com", "ann"),
    ]
    with_head = list(
        csv.reader(io.StringIO(command(harness, "export", "--new-since", "2000-01-01", "--format", "csv")))
    )
    assert with_head[0][:3] == ["contact", "name", "email"]
    assert with_head[1][1] == "'=Ada Stone", "no cell is a formula"
    newly = harness.run(harness.ledger.read(exports.newly_enriched, later))
    assert [one.contact for one in newly] == [f"crm/contacts/{second}"]


def _enrich(harness: Harness) -> None:
    harness.ask()
    harness.clock.time += 60
    harness.dispatch()
    harness.answer_all()
    harness.finish()


@pytest.mark.parametrize(
    "words", [["export"], ["export", MAIL, "--new-since", "1d"], ["export", MAIL, "--format", "csv"]]
)
def test_what_makes_no_sense_is_a_usage_error(harness: Harness, words: list[str]) -> None:
    command(harness, *words, code=2)


def test_a_mailbox_of_two_people_is_neither_told_nor_erased(harness: Harness) -> None:
    for name in ("Ada", "Bo"):
        harness.crm.add(Identity(first_name=name, last_name=name * 2, emails=("both@acme.example.com",)))
    harness.pull()
    command(harness, "export", "both@acme.example.com", code=1)
    command(harness, "forget", "both@acme.example.com", "--yes", code=1)
    assert left_of(harness, ("bobo", "adaada")) == ["bobo", "adaada"]
    command(harness, "forget", "crm/contacts/501", "--yes")
    assert left_of(harness, ("bobo", "adaada")) == ["bobo"]
    harness.crm.add(Identity(first_name="Cy", last_name="Cycy", emails=("both@acme.example.com",)))
    harness.pull()
    assert left_of(harness, ("cycy",)) == ["cycy"], "what two people shared tells nobody"


@pytest.mark.parametrize(
    ("body", "told"),
    [
        (b'{"data": [{"id": "aa", "x": 1}, {"id": "bb"}]}', [{"id": "aa", "x": 1}]),
        (b'[[{"id": "aa"}, {"id": "bb"}]]', [{"id": "aa"}]),
        (b"no JSON", None),
    ],
)
def test_only_their_own_items_are_told(body: bytes, told: object) -> None:
    assert forgetting.items(body, {"aa"}) == told
