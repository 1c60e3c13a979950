"""Deliveries on their way to jobs: kept first, applied once, in whatever order they come."""

import pytest

from syncd.contract.model import Delivery, Field, Source
from syncd.ledger import arrivals
from syncd.ledger.states import DeliveryState
from tests.contract.fake_provider import said

from .harness import EMAIL, Harness


def test_the_same_words_are_kept_once_whichever_way_they_came(harness: Harness) -> None:
    first = Delivery(submission_id="s", source=Source.CALLBACK, body=b"{}", headers={"x": "1"})
    again = Delivery(submission_id="s", source=Source.POLL, body=b"{}")
    assert harness.deliver(first) is True
    assert harness.deliver(again) is False
    assert harness.deliver(Delivery(submission_id="s", source=Source.CALLBACK, body=b"{} ")) is True
    assert harness.deliver(Delivery(submission_id="t", source=Source.CALLBACK, body=b"{}")) is True
    assert harness.sql("SELECT submission_id, repeats FROM delivery ORDER BY id") == [("s", 1), ("s", 0), ("t", 0)]


def test_what_was_quarantined_does_not_stand_in_the_way_of_the_genuine_one(harness: Harness) -> None:
    """A forger who knows the body can't make us drop it when it comes with the right signature."""
    delivery = Delivery(submission_id="s", source=Source.CALLBACK, body=b"{}")
    work = harness.ledger.write(
        arrivals.store, "ann", delivery, now=0.0, state=DeliveryState.QUARANTINED, note="not signed"
    )
    assert harness.run(work) is arrivals.Kept.NEW
    assert harness.deliver(delivery) is True
    assert harness.sql("SELECT state FROM delivery ORDER BY id") == [("quarantined",), ("received",)]


@pytest.mark.parametrize("first", ["found", "not_found"])
def test_found_beats_not_found_in_either_order(harness: Harness, first: str) -> None:
    ada = harness.person("Ada")
    harness.ask()
    sent = next(s for s in harness.fake.submitted if s.requests[0].fields == (EMAIL,))
    request = sent.requests[0].id
    words = {
        "found": said([_result(request, "found", "ada@acme.example.com")], final=False),
        "not_found": said([_result(request, "not_found")], charged=None),
    }
    for name in (first, *(words.keys() - {first})):
        harness.call_back(sent, words[name])
        harness.verify()
    harness.finish()
    assert harness.job(ada) == ("done", "written")


def test_of_two_finds_the_first_is_written_and_the_second_kept(harness: Harness) -> None:
    ada = harness.person("Ada")
    harness.ask()
    sent = next(s for s in harness.fake.submitted if s.requests[0].fields == (EMAIL,))
    for value in ("first@acme.example.com", "second@acme.example.com"):
        harness.call_back(sent, said([_result(sent.requests[0].id, "found", value)], final=False))
    harness.finish()
    assert harness.held(ada) == "first@acme.example.com"
    assert len(harness.sql("SELECT id FROM result WHERE outcome = 'found'")) == 2


def test_a_result_for_another_field_or_request_moves_nothing(harness: Harness) -> None:
    ada = harness.person("Ada")
    harness.ask()
    sent = next(s for s in harness.fake.submitted if s.requests[0].fields == (EMAIL,))
    strange = [_result("another request", "found", "x@y.test"), _result(sent.requests[0].id, "found", "1", Field.PHONE)]
    harness.call_back(sent, said(strange, final=False))
    assert harness.state(ada) == "sent"
    assert harness.tally("items_unmatched") == 2


def _result(request: str, outcome: str, value: str | None = None, field: Field = EMAIL) -> dict[str, object]:
    candidates = [] if value is None else [{"value": value, "grade": "valid"}]
    return {"id": request, "field": field, "outcome": outcome, "candidates": candidates}
