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
from .house import DAY, EMAIL, ONE_BY_ONE, UNHEARD, House
from .test_cases_pipeline import VALUE, doubtful, emails
from .test_pipeline_inbox import Eager, words
from .test_pipeline_outcomes import Told


def waterfall(build: Build) -> tuple[House, FakeProvider, FakeProvider]:
    ann, bob = FakeProvider("ann", capabilities=UNHEARD), FakeProvider("bob", capabilities=UNHEARD)
    return build(providers=[ann, bob], fields={EMAIL: ["ann", "bob"]}), ann, bob


# --- D. asynchrony ----------------------------------------------------------------------------


def test_case_54_the_same_webhook_nine_times_is_one_change_and_nine_thanks(build: Build) -> None:
    house, (ada,) = emails(build)
    sent = house.fake.submitted[0]

    async def nine(line: Line) -> list[int]:
        return [(await line.call_back(sent, house.fake.body(sent))).status for _ in range(9)]

    assert at_the_door(house, nine) == [200] * 9
    house.finish()
    moves = house.sql("SELECT target FROM event WHERE job_id = 1 ORDER BY id")
    assert [m[0] for m in moves].count("answered") == 1
    assert (house.job(ada), house.credits()["charged"]) == (("done", "written"), 1)


def test_case_55_a_callback_before_the_answer_to_the_call(build: Build) -> None:
    fake = Eager("ann", capabilities=ONE_BY_ONE)
    house = build(providers=[fake], fields={EMAIL: ["ann"]})
    fake.house = house
    ada = house.person()
    house.finds(ada, EMAIL, VALUE)
    house.ask()
    assert (house.state(ada), house.submissions()) == ("answered", ["settled"])
    assert house.sql("SELECT provider_id FROM submission") == [(f"job-{fake.submitted[0].id}",)]


def test_case_56_out_of_order_webhooks_never_turn_anything_back(build: Build) -> None:
    house = build(providers=[FakeProvider("ann", capabilities=CAPABILITIES)], fields={EMAIL: ["ann"]})
    ada, bo = house.person("Ada"), house.person("Bo")
    house.pull()
    house.plan()
    house.clock.time += 60
    house.dispatch()
    sent = house.fake.submitted[0]
    house.call_back(sent, words(sent, "found", "found", charged=2))
    house.finish()
    house.call_back(sent, words(sent, "not_found", "", final=False))
    house.call_back(sent, words(sent, "", "", final=False))
    house.finish()
    assert (house.job(ada), house.job(bo), house.submissions()) == (("done", "written"),) * 2 + (["settled"],)


def test_a_late_find_counts_although_another_provider_was_asked_again_since(build: Build) -> None:
    """Ann was asked before Bob's miss grew old, and answers after he has missed once more."""
    house, ann, bob = waterfall(build)
    house.reopen(replace(house.settings, syncs=(replace(house.sync, retry_not_found=5 * DAY),)))
    ada = house.person()
    house.finds(ada, EMAIL, VALUE, by="ann")
    house.ask()
    for wait in (UNHEARD.answer_within, 6 * DAY):
        house.clock.time += wait
        house.sweep()
        house.verify()
        house.ask()
        house.dispatch("bob")
        house.answer_all("bob")
        house.finish()
    assert (len(ann.submitted), len(bob.submitted)) == (1, 2)
    assert house.job(ada) == ("done", "no_callback")
    house.answer_all("ann")
    house.finish()
    assert (house.job(ada), house.held(ada)) == (("done", "written"), VALUE)


def test_case_59_a_forged_callback_is_an_empty_404(build: Build) -> None:
    house, (ada,) = emails(build, providers=[FakeProvider("ann", capabilities=UNHEARD)])
    sent = house.fake.submitted[0]
    body = house.fake.body(sent)

    async def guess(line: Line) -> list[tuple[int, bytes]]:
        tries = [changed(sent, m="f" * 32), changed(sent, a="0" * 32), "/callbacks/ann?contactId=501"]
        replies = [await line.call("POST", one, body) for one in tries]
        return [(reply.status, reply.body) for reply in replies]

    assert at_the_door(house, guess) == [(404, b"")] * 3
    assert (house.sql("SELECT * FROM delivery"), house.state(ada)) == ([], "sent")
    assert house.parts.tallies == {"callbacks_forged": 3}


def test_case_60_while_it_can_not_be_stored_it_is_asked_for_again(build: Build) -> None:
    house, (ada,) = emails(build)
    sent = house.fake.submitted[0]
    body = house.fake.body(sent)
    house.run(house.ledger.write(lambda tx: tx._connection.execute("PRAGMA busy_timeout = 0").close()))
    other = sqlite3.connect(house.path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    assert at_the_door(house, lambda line: line.call_back(sent, body)).status == 503
    other.close()
    assert house.sql("SELECT * FROM delivery") == []
    assert at_the_door(house, lambda line: line.call_back(sent, body)).status == 200
    house.finish()
    assert house.job(ada) == ("done", "written")


@pytest.mark.parametrize("can_poll", [True, False])
def test_case_60_after_the_last_try_it_is_polled_or_expires(build: Build, can_poll: bool) -> None:
    house, (ada,) = emails(build, providers=[FakeProvider("ann", capabilities=ONE_BY_ONE if can_poll else UNHEARD)])
    house.fake.finished = set(house.fake.accepted)
    house.clock.time += 300
    house.sweep()
    house.finish()
    assert house.job(ada) == (("done", "written") if can_poll else ("sent", ""))
    house.clock.time += 2 * DAY
    house.sweep()
    house.verify()
    assert house.job(ada) == (("done", "written") if can_poll else ("done", "no_callback"))


def test_case_61_a_webhook_that_never_comes_is_polled_for_and_given_up_at_a_deadline(build: Build) -> None:
    house, (ada,) = emails(build)
    for _ in range(3):
        house.clock.time += 299
        house.sweep()
        house.clock.time += 1
        house.sweep()
    assert len(house.fake.polled) == 3
    house.clock.time += 2 * DAY
    house.sweep()
    house.verify()
    assert (house.job(ada), len(house.fake.submitted)) == (("done", "no_callback"), 1), "never bought again by itself"
    house.dispatch()
    assert len(house.fake.submitted) == 1


def test_case_66_a_callback_after_our_deadline_is_taken_and_booked(build: Build) -> None:
    house, (ada,) = emails(build, providers=[FakeProvider("ann", capabilities=UNHEARD)])
    house.clock.time += 3 * DAY
    house.sweep()
    house.verify()
    assert house.job(ada) == ("done", "no_callback")
    house.call_back(house.fake.submitted[0])
    house.finish()
    assert (house.job(ada), house.credits()) == (("done", "written"), {"reserved": 0, "charged": 1, "in_doubt": 0})


def test_case_67_both_callbacks_of_a_resent_call_are_booked_and_the_first_find_wins(build: Build) -> None:
    house, (ada,) = emails(build, providers=[doubtful(capabilities=UNHEARD)], in_doubt=InDoubtPolicy.RESEND_ONCE)
    house.clock.time += 2 * DAY
    house.sweep()
    assert house.dispatch() == 1
    first, second = house.fake.submitted
    house.call_back(first)
    house.finds(ada, EMAIL, "another@acme.example.com")
    house.call_back(second)
    house.finish()
    assert (house.held(ada), house.job(ada)) == (f"{ada}@acme.example.com", ("done", "written"))
    assert house.credits() == {"reserved": 0, "charged": 2, "in_doubt": 0}


def test_case_68_a_body_that_can_not_be_read_leaves_the_attempt_as_it_is(build: Build) -> None:
    house, (ada,) = emails(build)
    sent = house.fake.submitted[0]

    async def post(line: Line) -> list[int]:
        bodies = [b"<html>", b'{"results": [', b"[" * 100_000, b"x" * 300_000]
        return [(await line.call("POST", target(sent), b, x_fake_signature=sign(b))).status for b in bodies]

    assert at_the_door(house, post) == [400, 400, 400, 413]
    assert (house.inbox(), house.state(ada), house.submissions()) == (0, "sent", ["accepted"])
    assert house.sql("SELECT DISTINCT state FROM delivery") == [("quarantined",)]


def test_case_70_a_crash_between_the_call_and_its_receipt(build: Build) -> None:
    fake = Told(capabilities=UNHEARD)
    house = build(providers=[fake], fields={EMAIL: ["ann"]})
    ada = house.person()
    house.finds(ada, EMAIL, VALUE)
    fake.then = lambda _: house.remember_disk()
    house.ask()
    house.crash()
    assert house.recover() == 1
    assert (house.state(ada), house.dispatch()) == ("in_doubt", 0)
    house.call_back(fake.submitted[0])
    house.finish()
    assert (house.job(ada), len(fake.submitted)) == (("done", "written"), 1)


def test_case_71_windows_days_and_deadlines_follow_the_clock_that_is_given(build: Build) -> None:
    ann = FakeProvider("ann", capabilities=replace(UNHEARD, windows=(Window(60.0, 1, fixed=True),)))
    house = build(providers=[ann], fields={EMAIL: ["ann"]}, budget=Budget(credits_per_day=Decimal(2)))
    for name in ("Ada", "Bo", "Cy"):
        house.person(name)
    house.clock.time = (house.clock.time // DAY) * DAY + DAY - 30  # half a minute before midnight UTC
    assert house.ask() == 1
    house.clock.time += 29.9
    assert house.dispatch() == 0
    house.clock.time += 0.1
    assert house.dispatch() == 1, "a new minute, a new day"
    house.clock.time += 60
    assert house.dispatch() == 1
    assert house.sql("SELECT count(*) FROM submission GROUP BY CAST(created_at / 900 AS INTEGER)") == [(1,), (2,)]


def test_case_72_nothing_is_written_for_a_contact_that_is_gone_and_its_cost_is_booked(build: Build) -> None:
    house, (ada,) = emails(build)
    house.crm.remove(ada)
    house.answer_all()
    house.finish()
    assert (house.job(ada), house.held(ada), "write" in house.crm.calls) == (("done", "contact_gone"), "", False)
    assert house.credits() == {"reserved": 0, "charged": 1, "in_doubt": 0}


def test_case_73_a_late_answer_of_the_first_provider_after_the_second_has_found(build: Build) -> None:
    house, ann, bob = waterfall(build)
    ada = house.person()
    house.finds(ada, EMAIL, "late@acme.example.com", by="ann")
    house.finds(ada, EMAIL, VALUE, by="bob")
    house.ask()
    house.clock.time += 2 * DAY
    house.sweep()
    house.verify()
    house.dispatch("bob")
    house.call_back(bob.submitted[0], name="bob")
    house.finish()
    house.call_back(ann.submitted[0], name="ann")
    house.finish()
    assert (house.held(ada), house.job(ada)) == (VALUE, ("done", "written"))
    assert house.credits() == {"reserved": 0, "charged": 2, "in_doubt": 0}
    assert house.sql("SELECT provider, outcome FROM result ORDER BY id") == [
        ("ann", "missing"), ("bob", "found"), ("ann", "found"),
    ]  # fmt: skip


def test_case_26_what_is_not_signed_by_the_vendor_is_kept_and_polled_for_instead(build: Build) -> None:
    """A key was rotated under us: the callback is refused, and the authenticated poll brings it."""
    house, (ada,) = emails(build)
    sent = house.fake.submitted[0]
    body = house.fake.body(sent)
    assert at_the_door(house, lambda line: line.call("POST", target(sent), body, x_fake_signature="0")).status == 401
    house.fake.finished = {sent.id}
    house.clock.time += 300
    house.sweep()
    house.finish()
    assert house.job(ada) == ("done", "written")
    assert house.sql("SELECT source, state FROM delivery ORDER BY id") == [
        ("callback", "quarantined"), ("poll", "applied"),
    ]  # fmt: skip
