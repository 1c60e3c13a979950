"""Ids: short, never twice, recognised in an answer, and put together again by the view."""

from __future__ import annotations

import pytest

from syncd.ledger import ids
from tests.contract.fake_provider import CAPABILITIES, FakeProvider

from .conftest import Build
from .harness import EMAIL


def test_an_id_is_short_random_and_fit_for_an_address_and_a_command_line() -> None:
    made = {ids.new() for _ in range(2_000)}
    assert len(made) == 2_000
    assert all(len(one) == 12 and one.isascii() and one.isalnum() for one in made)


@pytest.mark.parametrize(
    ("request_id", "own"),
    [
        ("Ab3Ab3Ab3Ab3", ""),
        ("Ab3Ab3Ab3Ab3.1", ".1"),
        ("Ab3Ab3Ab3Ab3.100", ".100"),
        ("Ab3Ab3Ab3Ab34.1", "Ab3Ab3Ab3Ab34.1"),
        ("Zz9Zz9Zz9Zz9.1", "Zz9Zz9Zz9Zz9.1"),
        ("", ""),
    ],
)
def test_of_a_requests_id_its_own_part_is_kept(request_id: str, own: str) -> None:
    assert ids.own_part("Ab3Ab3Ab3Ab3", request_id) == own


def test_a_request_of_another_call_is_never_taken_for_one_of_this_call() -> None:
    """A provider may mix up two calls: their numbers are alike, their ids are not."""
    one, other = ids.new(), ids.new()
    assert ids.own_part(one, ids.of_request(other, 1)) != ids.own_part(one, ids.of_request(one, 1))


def test_no_request_is_the_beginning_of_another_one() -> None:
    """Who erases a person cuts out of an answer what names their request."""
    made = [ids.of_request("Ab3Ab3Ab3Ab3", number) for number in range(1, 1_000)]
    assert not [(one, other) for one in made[:99] for other in made if one != other and one in other]


def test_requests_are_found_in_an_answer_whatever_stands_around_them() -> None:
    one, other = ids.of_request(ids.new(), 1), ids.of_request(ids.new(), 99)
    body = f'{{"custom":{{"attempt_id":"{one}"}},"version":"1.10","ids":["{other}"],"domain":"firm21.example"}}'
    assert ids.requests_in(body.encode()) == {one, other}


def test_the_view_tells_each_requests_id_in_full(build: Build) -> None:
    harness = build(providers=[FakeProvider("ann", capabilities=CAPABILITIES)], fields={EMAIL: ["ann"]})
    for name in ("Ada", "Bo"):
        harness.person(name)
    harness.ask()
    told = {request.id for call in harness.fake.submitted for request in call.requests}
    assert {row[0] for row in harness.sql("SELECT request_id FROM question")} == told
