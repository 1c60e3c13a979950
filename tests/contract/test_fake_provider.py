"""What a test can script the fake provider to say of the person, and how it can be asked."""

from __future__ import annotations

from dataclasses import replace

from syncd.contract.model import Candidate, Delivery, Field, Grade, Identity, Outcome, Source, Submission
from syncd.contract.testing.samples import ADA, BY_MAIL, BY_NAME, EMAIL, NOBODY, PROFILE, request, submission

from .fake_provider import STRANGER, FakeProvider, said

KNOWN = replace(ADA, emails=("ada@acme.example.com",), email="ada@acme.example.com")
WAYS = {"profile": ("linkedin_url",), "name": ("first_name", "last_name", "company", "domain"), "email": ("email",)}
FOUND = (Candidate(value="ada@acme.example.com", grade=Grade.VALID, line="mobile"),)


def about(fake: FakeProvider, what: Submission, body: bytes | None = None) -> tuple[Identity, ...]:
    (result,) = fake.parse(fake.delivery(what, body=body), what).results
    return result.said


def test_by_default_an_answer_echoes_all_that_was_told() -> None:
    what = submission(request(KNOWN))
    fake = FakeProvider(finds={("501", Field.EMAIL): FOUND})
    (result,) = fake.parse(fake.delivery(what), what).results
    assert (result.outcome, result.candidates, result.said) == (Outcome.FOUND, FOUND, (KNOWN,))
    assert [(one.way, one.told) for one in fake.questions(what.requests[0])] == [("all", KNOWN)]


def test_an_echo_is_of_what_was_told_when_the_body_was_made() -> None:
    what = submission(request(KNOWN))
    body = FakeProvider().body(what)
    later = replace(what, requests=(replace(what.requests[0], identity=STRANGER),))
    assert about(FakeProvider(), later, body) == (KNOWN,)


def test_an_answer_may_speak_of_somebody_else_or_of_nobody() -> None:
    fake, what = FakeProvider(), submission(request(KNOWN))
    assert about(fake, what, fake.body(what, said=(STRANGER, BY_NAME))) == (STRANGER, BY_NAME)
    assert about(fake, what, fake.body(what, said=())) == ()
    fake.says["501", Field.EMAIL] = (STRANGER,)
    assert about(fake, what) == (STRANGER,)


def test_a_body_by_hand_echoes_unless_it_says_otherwise() -> None:
    fake, what = FakeProvider(), submission(request(KNOWN))
    by_hand = {"id": "attempt-1", "field": "email", "outcome": "not_found"}
    assert about(fake, what, said([by_hand])) == (KNOWN,)
    assert about(fake, what, said([by_hand | {"said": [{"first_name": "Bo"}]}])) == (Identity(first_name="Bo"),)
    assert about(fake, what, said([by_hand | {"said": []}])) == ()


def test_several_ways_each_tell_their_part_where_it_is_known() -> None:
    fake = FakeProvider(ways=WAYS)
    named = replace(BY_NAME, company="Acme")
    assert [(one.way, one.told) for one in fake.questions(request(KNOWN, EMAIL))] == [
        ("profile", Identity(linkedin_url=PROFILE)),
        ("name", named),
        ("email", BY_MAIL),
    ]
    assert [one.way for one in fake.questions(request(BY_NAME, EMAIL))] == ["name"]
    assert fake.lacks(request(BY_NAME, EMAIL)) is None
    assert fake.questions(request(NOBODY, EMAIL)) == ()
    assert fake.lacks(request(NOBODY, EMAIL))
    assert FakeProvider(ways={"profile": ("linkedin_url",)}).lacks(request(BY_NAME, EMAIL))


def test_a_poll_echoes_too() -> None:
    fake, what = FakeProvider(), submission(request(KNOWN))
    got = Delivery(submission_id=what.id, source=Source.POLL, body=fake.body(what))
    assert fake.parse(got, what).results[0].said == (KNOWN,)
