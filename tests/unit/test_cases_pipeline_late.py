"""The provider cases about time: answers early, late, twice, forged or never, by their numbers."""

from dataclasses import replace
from decimal import Decimal

import pytest

from syncd.config import Budget, InDoubtPolicy
from syncd.contract.pacing import Window
from tests.contract.fake_provider import CAPABILITIES, FakeProvider, sign

from .audit import sqlite3
from .callers import Line, at_the_door, changed, target
from .conftest import Build
from .harness import DAY, EMAIL, ONE_BY_ONE, UNHEARD, Harness
from .test_cases_pipeline import VALUE, doubtful, emails
from .test_pipeline_inbox import Eager, words
from .test_pipeline_outcomes import Told


def waterfall(build: Build) -> tuple[Harness, FakeProvider, FakeProvider]:
    ann, bob = FakeProvider("ann", capabilities=UNHEARD), FakeProvider("bob", capabilities=UNHEARD)
    return build(providers=[ann, bob], fields={EMAIL: ["ann", "bob"]}), ann, bob


# --- D. asynchrony ----------------------------------------------------------------------------


def test_case_54_the_same_webhook_nine_times_is_one_change_and_nine_thanks(build: Build) -> None:
    harness, (ada,) = emails(build)
    sent = harness.fake.submitted[0]

    async def nine(line: Line) -> list[int]:
        return [(await line.call_back(sent, harness.fake.body(sent))).status for _ in range(9)]

    assert at_the_door(harness, nine) == [200] * 9
    harness.finish()
    moves = harness.sql("SELECT target FROM event WHERE job_id = 1 ORDER BY id")
    assert [m[0] for m in moves].count("answered") == 1
    assert (harness.job(ada), harness.credits()["charged"]) == (("done", "written"), 1)


def test_case_55_a_callback_before_the_answer_to_the_call(build: Build) -> None:
    fake = Eager("ann", capabilities=ONE_BY_ONE)
    harness = build(providers=[fake], fields={EMAIL: ["ann"]})
    fake.harness = harness
    ada = harness.person()
    harness.finds(ada, EMAIL, VALUE)
    harness.ask()
    assert (harness.state(ada), harness.submissions()) == ("answered", ["settled"])
    assert harness.sql("SELECT provider_id FROM submission") == [(f"job-{fake.submitted[0].id}",)]


def test_case_56_out_of_order_webhooks_never_turn_anything_back(build: Build) -> None:
    harness = build(providers=[FakeProvider("ann", capabilities=CAPABILITIES)], fields={EMAIL: ["ann"]})
    ada, bo = harness.person("Ada"), harness.person("Bo")
    harness.pull()
    harness.plan()
    harness.clock.time += 60
    harness.dispatch()
    sent = harness.fake.submitted[0]
    harness.call_back(sent, words(sent, "found", "found", charged=2))
    harness.finish()
    harness.call_back(sent, words(sent, "not_found", "", final=False))
    harness.call_back(sent, words(sent, "", "", final=False))
    harness.finish()
    assert (harness.job(ada), harness.job(bo), harness.submissions()) == (("done", "written"),) * 2 + (["settled"],)


def test_a_late_find_counts_although_another_provider_was_asked_again_since(build: Build) -> None:
    """Ann was asked before Bob's miss grew old, and answers after he has missed once more."""
    harness, ann, bob = waterfall(build)
    harness.reopen(replace(harness.settings, syncs=(replace(harness.sync, retry_not_found=5 * DAY),)))
    ada = harness.person()
    harness.finds(ada, EMAIL, VALUE, by="ann")
    harness.ask()
    for wait in (UNHEARD.answer_within, 6 * DAY):
        harness.clock.time += wait
        harness.sweep()
        harness.verify()
        harness.ask()
        harness.dispatch("bob")
        harness.answer_all("bob")
        harness.finish()
    assert (len(ann.submitted), len(bob.submitted)) == (1, 2)
    assert harness.job(ada) == ("done", "no_callback")
    harness.answer_all("ann")
    harness.finish()
    assert (harness.job(ada), harness.held(ada)) == (("done", "written"), VALUE)


def test_case_59_a_forged_callback_is_an_empty_404(build: Build) -> None:
    harness, (ada,) = emails(build, providers=[FakeProvider("ann", capabilities=UNHEARD)])
    sent = harness.fake.submitted[0]
    body = harness.fake.body(sent)

    async def guess(line: Line) -> list[tuple[int, bytes]]:
        tries = [changed(sent, m="f" * 32), changed(sent, a="0" * 32), "/callbacks/ann?contactId=501"]
        replies = [await line.call("POST", one, body) for one in tries]
        return [(reply.status, reply.body) for reply in replies]

    assert at_the_door(harness, guess) == [(404, b"")] * 3
    assert (harness.sql("SELECT * FROM delivery"), harness.state(ada)) == ([], "sent")
    assert harness.parts.tallies == {"callbacks_forged": 3}


@pytest.mark.sqlite
def test_case_60_while_it_can_not_be_stored_it_is_asked_for_again(build: Build) -> None:
    harness, (ada,) = emails(build)
    sent = harness.fake.submitted[0]
    body = harness.fake.body(sent)
    harness.run(harness.ledger.write(lambda tx: tx._connection.execute("PRAGMA busy_timeout = 0").fetchall()))
    other = sqlite3.connect(harness.path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    assert at_the_door(harness, lambda line: line.call_back(sent, body)).status == 503
    other.close()
    assert harness.sql("SELECT * FROM delivery") == []
    assert at_the_door(harness, lambda line: line.call_back(sent, body)).status == 200
    harness.finish()
    assert harness.job(ada) == ("done", "written")


@pytest.mark.parametrize("can_poll", [True, False])
def test_case_60_after_the_last_try_it_is_polled_or_expires(build: Build, can_poll: bool) -> None:
    harness, (ada,) = emails(build, providers=[FakeProvider("ann", capabilities=ONE_BY_ONE if can_poll else UNHEARD)])
    harness.fake.finished = set(harness.fake.accepted)
    harness.clock.time += 300
    harness.sweep()
    harness.finish()
    assert harness.job(ada) == (("done", "written") if can_poll else ("sent", ""))
    harness.clock.time += 2 * DAY
    harness.sweep()
    harness.verify()
    assert harness.job(ada) == (("done", "written") if can_poll else ("done", "no_callback"))


def test_case_61_a_webhook_that_never_comes_is_polled_for_and_given_up_at_a_deadline(build: Build) -> None:
    harness, (ada,) = emails(build)
    for _ in range(3):
        harness.clock.time += 299
        harness.sweep()
        harness.clock.time += 1
        harness.sweep()
    assert len(harness.fake.polled) == 3
    harness.clock.time += 2 * DAY
    harness.sweep()
    harness.verify()
    assert (harness.job(ada), len(harness.fake.submitted)) == (("done", "no_callback"), 1), (
        "never bought again by itself"
    )
    harness.dispatch()
    assert len(harness.fake.submitted) == 1


def test_case_66_a_callback_after_our_deadline_is_taken_and_booked(build: Build) -> None:
    harness, (ada,) = emails(build, providers=[FakeProvider("ann", capabilities=UNHEARD)])
    harness.clock.time += 3 * DAY
    harness.sweep()
    harness.verify()
    assert harness.job(ada) == ("done", "no_callback")
    harness.call_back(harness.fake.submitted[0])
    harness.finish()
    assert (harness.job(ada), harness.credits()) == (("done", "written"), {"reserved": 0, "charged": 1, "in_doubt": 0})


def test_case_67_both_callbacks_of_a_resent_call_are_booked_and_the_first_find_wins(build: Build) -> None:
    harness, (ada,) = emails(build, providers=[doubtful(capabilities=UNHEARD)], in_doubt=InDoubtPolicy.RESEND_ONCE)
    harness.clock.time += 2 * DAY
    harness.sweep()
    assert harness.dispatch() == 1
    first, second = harness.fake.submitted
    harness.call_back(first)
    harness.finds(ada, EMAIL, "another@acme.example.com")
    harness.call_back(second)
    harness.finish()
    assert (harness.held(ada), harness.job(ada)) == (f"{ada}@acme.example.com", ("done", "written"))
    assert harness.credits() == {"reserved": 0, "charged": 2, "in_doubt": 0}


def test_case_68_a_body_that_can_not_be_read_leaves_the_attempt_as_it_is(build: Build) -> None:
    harness, (ada,) = emails(build)
    sent = harness.fake.submitted[0]

    async def post(line: Line) -> list[int]:
        bodies = [b"<html>", b'{"results": [', b"[" * 100_000, b"x" * 300_000]
        return [(await line.call("POST", target(sent), b, x_fake_signature=sign(b))).status for b in bodies]

    assert at_the_door(harness, post) == [400, 400, 400, 413]
    assert (harness.inbox(), harness.state(ada), harness.submissions()) == (0, "sent", ["accepted"])
    assert harness.sql("SELECT DISTINCT state FROM delivery") == [("quarantined",)]


def test_case_70_a_crash_between_the_call_and_its_receipt(build: Build) -> None:
    fake = Told(capabilities=UNHEARD)
    harness = build(providers=[fake], fields={EMAIL: ["ann"]})
    ada = harness.person()
    harness.finds(ada, EMAIL, VALUE)
    fake.then = lambda _: harness.remember_disk()
    harness.ask()
    harness.crash()
    assert harness.recover() == 1
    assert (harness.state(ada), harness.dispatch()) == ("in_doubt", 0)
    harness.call_back(fake.submitted[0])
    harness.finish()
    assert (harness.job(ada), len(fake.submitted)) == (("done", "written"), 1)


def test_case_71_windows_days_and_deadlines_follow_the_clock_that_is_given(build: Build) -> None:
    ann = FakeProvider("ann", capabilities=replace(UNHEARD, windows=(Window(60.0, 1, fixed=True),)))
    harness = build(providers=[ann], fields={EMAIL: ["ann"]}, budget=Budget(credits_per_day=Decimal(2)))
    for name in ("Ada", "Bo", "Cy"):
        harness.person(name)
    harness.clock.time = (harness.clock.time // DAY) * DAY + DAY - 30  # half a minute before midnight UTC
    assert harness.ask() == 1
    harness.clock.time += 29.9
    assert harness.dispatch() == 0
    harness.clock.time += 0.1
    assert harness.dispatch() == 1, "a new minute, a new day"
    harness.clock.time += 60
    assert harness.dispatch() == 1
    assert harness.sql("SELECT count(*) FROM submission GROUP BY floor(created_at / 900) ORDER BY 1") == [(1,), (2,)]


def test_case_72_nothing_is_written_for_a_contact_that_is_gone_and_its_cost_is_booked(build: Build) -> None:
    harness, (ada,) = emails(build)
    harness.crm.remove(ada)
    harness.answer_all()
    harness.finish()
    assert (harness.job(ada), harness.held(ada), "write" in harness.crm.calls) == (("done", "contact_gone"), "", False)
    assert harness.credits() == {"reserved": 0, "charged": 1, "in_doubt": 0}


def test_case_73_a_late_answer_of_the_first_provider_after_the_second_has_found(build: Build) -> None:
    harness, ann, bob = waterfall(build)
    ada = harness.person()
    harness.finds(ada, EMAIL, "late@acme.example.com", by="ann")
    harness.finds(ada, EMAIL, VALUE, by="bob")
    harness.ask()
    harness.clock.time += 2 * DAY
    harness.sweep()
    harness.verify()
    harness.dispatch("bob")
    harness.call_back(bob.submitted[0], name="bob")
    harness.finish()
    harness.call_back(ann.submitted[0], name="ann")
    harness.finish()
    assert (harness.held(ada), harness.job(ada)) == (VALUE, ("done", "written"))
    assert harness.credits() == {"reserved": 0, "charged": 2, "in_doubt": 0}
    assert harness.sql("SELECT provider, outcome FROM result ORDER BY id") == [
        ("ann", "missing"), ("bob", "found"), ("ann", "found"),
    ]  # fmt: skip


def test_case_26_what_is_not_signed_by_the_vendor_is_kept_and_polled_for_instead(build: Build) -> None:
    """A key was rotated under us: the callback is refused, and the authenticated poll brings it."""
    harness, (ada,) = emails(build)
    sent = harness.fake.submitted[0]
    body = harness.fake.body(sent)
    assert at_the_door(harness, lambda line: line.call("POST", target(sent), body, x_fake_signature="0")).status == 401
    harness.fake.finished = {sent.id}
    harness.clock.time += 300
    harness.sweep()
    harness.finish()
    assert harness.job(ada) == ("done", "written")
    assert harness.sql("SELECT source, state FROM delivery ORDER BY id") == [
        ("callback", "quarantined"), ("poll", "applied"),
    ]  # fmt: skip
