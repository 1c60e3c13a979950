"""The way to a provider: after a doubt it is closed, the free call finds out, a small call opens it; who is refused for
an unknown reason is set aside; what is too dear waits; and several syncs take turns."""

import asyncio
from dataclasses import replace
from decimal import Decimal

import pytest

from syncd.contract.errors import Halt, InDoubt, Retry, Skip, Trouble, Unlisted
from syncd.contract.model import Delivery, Receipt, Submission
from syncd.contract.pacing import Window
from syncd.ledger import connections, reports
from syncd.pipeline.breaker import AFTER_DOUBTS, Breaker, as_row, from_row
from syncd.pipeline.dispatch import LINGER
from tests.contract.fake_crm import FakeCrm
from tests.contract.fake_provider import CAPABILITIES, FakeProvider, said

from .conftest import Build
from .harness import DAY, EMAIL, ONE_BY_ONE, PHONE, Harness

MINUTE = 60.0
NOT_FOUND = Unlisted("Ann answered 404: unknown", kind="Ann 404", cure="see what Ann says")
DOWN = InDoubt("HTTP 502")


class Unsteady(FakeProvider):
    """`until`: before then every paid call ends in doubt; `free_too`: the free one fails as well. `odd`: contacts that
    are refused, always for the same reason. `credits`: what is left; a call that costs more is refused."""

    harness: Harness
    until = 0.0
    free_too = True
    refusal: Exception = NOT_FOUND

    def __init__(self, name: str = "ann", **wishes: object) -> None:
        super().__init__(name, **{"capabilities": ONE_BY_ONE, **wishes})  # type: ignore[arg-type]
        self.odd: set[str] = set()
        self.poor = False

    async def submit(self, submission: Submission) -> Receipt:
        await asyncio.sleep(0)
        if self.harness.clock.now() < self.until:
            self.submitted.append(submission)
            raise DOWN
        if {request.ref.id for request in submission.requests} & self.odd:
            self.submitted.append(submission)
            raise self.refusal
        price = sum(self.capabilities.price[field] for request in submission.requests for field in request.fields)
        if self.poor and self.left is not None and price > self.left:
            self.submitted.append(submission)
            raise Halt("No Credit Remaining", trouble=Trouble.CREDITS, cure="buy some")
        return await super().submit(submission)

    async def balance(self) -> Decimal | None:
        if self.free_too and self.harness.clock.now() < self.until:
            raise Retry("HTTP 502")
        return await super().balance()


def crowd(build: Build, ann: Unsteady, people: int, **wishes: object) -> Harness:
    """So many people who wait to be asked about."""
    harness = build(providers=[ann], fields={EMAIL: ["ann"]}, **wishes)
    ann.harness = harness
    for n in range(people):
        harness.person(f"P{n}")
    harness.pull()
    harness.plan()
    return harness


def live(harness: Harness, minutes: float) -> None:
    """The daemon's rounds, one a minute."""
    for _ in range(round(minutes)):
        harness.clock.time += MINUTE
        harness.probe()
        harness.dispatch()


def trouble(harness: Harness) -> Trouble | None:
    return harness.run(harness.ledger.read(connections.trouble, "ann"))


# --- an outage --------------------------------------------------------------------------------


@pytest.mark.parametrize("minutes", [2, 20, 60])
@pytest.mark.parametrize("free_too", [True, False])
@pytest.mark.parametrize("batch", [1, 10])
def test_l17_an_outage_leaves_at_most_three_calls_in_doubt(
    build: Build, minutes: float, free_too: bool, batch: int
) -> None:
    ann = Unsteady(capabilities=replace(CAPABILITIES if batch > 1 else ONE_BY_ONE, batch=batch))
    harness = crowd(build, ann, 57)
    harness.clock.time += LINGER
    ann.until, ann.free_too = harness.clock.now() + minutes * MINUTE, free_too
    harness.dispatch()
    live(harness, minutes + 75)
    assert 1 <= harness.submissions().count("in_doubt") <= 3
    assert not harness.sql("SELECT 1 FROM job WHERE state = 'queued'"), "work goes on by itself"


def test_l17_no_paid_call_is_made_before_the_free_one_answers(build: Build) -> None:
    ann = Unsteady()
    harness = crowd(build, ann, 30)
    ann.until = harness.clock.now() + 40 * MINUTE
    harness.dispatch()
    made = len(ann.submitted)
    live(harness, 39)
    assert len(ann.submitted) == made
    [told] = harness.conditions("breaker")
    assert (told.who, told.what) == ("ann", "is not asked for now")
    live(harness, 16)
    assert ann.accepted
    assert harness.conditions("breaker") == []


def test_l17_a_bulk_provider_is_tried_with_a_single_contact_first(build: Build) -> None:
    ann = Unsteady(capabilities=CAPABILITIES)
    harness = crowd(build, ann, 60)
    harness.clock.time += LINGER
    ann.refusals.append(DOWN)
    harness.dispatch()
    harness.clock.time += MINUTE
    harness.probe()
    before = len(ann.submitted)
    harness.dispatch()
    assert [len(s.requests) for s in ann.submitted[before:]][:2] == [1, 10]


def test_l17_what_is_known_of_an_outage_survives_a_restart(build: Build) -> None:
    ann = Unsteady()
    harness = crowd(build, ann, 30)
    ann.until = harness.clock.now() + 40 * MINUTE
    harness.dispatch()
    made = len(ann.submitted)
    harness.reopen()
    harness.clock.time += 30
    harness.dispatch()
    assert len(ann.submitted) == made


def test_a_clock_that_was_set_back_does_not_close_the_way_for_long() -> None:
    state = Breaker().doubted("cut", 30 * DAY)
    assert state.is_due(state.next_look_at, 1.0)


def test_what_was_begun_before_an_outage_does_not_end_it() -> None:
    state = Breaker().doubted("cut", 1000.0)
    assert state.answered(0.0) == state
    tried = state.free_answered(1000.0 + AFTER_DOUBTS[0])
    assert tried.trial
    assert tried.answered(1000.0).closed
    assert tried.doubted("cut", 2000.0).doubts == 2


def test_the_state_is_kept_as_it_is() -> None:
    state = Breaker().doubted("cut", 5.0).refused_for("404", "crm/contacts/1").too_dear(Decimal("2.5"), 6.0)
    assert from_row({**as_row(state), "connection": "ann"}) == state
    assert from_row(None) == Breaker()


# --- refusals that nobody documented ----------------------------------------------------------


@pytest.mark.parametrize("batch", [1, 10])
def test_l16_one_odd_contact_is_set_aside_and_the_others_go_on(build: Build, batch: int) -> None:
    ann = Unsteady(capabilities=replace(ONE_BY_ONE, batch=batch))
    ann.odd = {"505"}
    harness = crowd(build, ann, 20)
    harness.clock.time += LINGER
    harness.dispatch()
    assert trouble(harness) is None
    assert harness.state("505") == "waiting"
    assert harness.note("505") == "Ann answered 404: unknown"
    assert len({r.ref.id for s in ann.accepted.values() for r in s.requests}) == 19
    alone = [s for s in ann.submitted if [r.ref.id for r in s.requests] == ["505"]]
    assert len(alone) == 2, "once, and a second time by itself"


def test_l16_it_is_tried_again_after_a_day_and_after_two(build: Build) -> None:
    ann = Unsteady()
    ann.odd = {"501"}
    harness = crowd(build, ann, 1)
    harness.dispatch()
    tries = []
    for _ in range(3):
        harness.clock.time += DAY
        harness.sweep()
        before = len(ann.submitted)
        harness.dispatch()
        tries.append(len(ann.submitted) - before)
        if len(tries) == 2:
            ann.odd.clear()
    assert tries == [1, 0, 1]
    assert harness.state("501") == "sent"


def test_l16_the_fourth_refusal_is_an_answer_and_the_next_provider_is_asked(build: Build) -> None:
    ann, bob = Unsteady(), FakeProvider("bob", capabilities=ONE_BY_ONE)
    ann.odd = {"501"}
    harness = build(providers=[ann, bob], fields={EMAIL: ["ann", "bob"]})
    ann.harness = harness
    harness.person()
    harness.finds("501", EMAIL, "ada@acme.example.com", by="bob")
    harness.ask()
    for _ in range(40):
        harness.clock.time += DAY
        harness.sweep()
        harness.dispatch("ann")
        harness.verify()
        harness.dispatch("bob")
    assert (len(ann.submitted), len(bob.submitted)) == (4, 1), "and the first one is asked no more"
    harness.answer_all("bob")
    harness.finish()
    assert harness.held("501") == "ada@acme.example.com"


def test_l16_where_nobody_else_is_there_it_ends_with_the_reason(build: Build) -> None:
    ann = Unsteady()
    ann.odd = {"501"}
    harness = crowd(build, ann, 1)
    for _ in range(40):
        harness.dispatch()
        harness.clock.time += DAY
        harness.sweep()
        harness.verify()
    assert (len(ann.submitted), harness.job("501")) == (4, ("done", "rejected_input"))
    assert harness.note("501") == "Ann answered 404: unknown"


def test_l16_different_contacts_with_the_same_refusal_halt_the_connection(build: Build) -> None:
    ann = Unsteady()
    harness = crowd(build, ann, 40)
    ann.odd = {str(501 + n) for n in range(40)}
    harness.dispatch()
    assert trouble(harness) is Trouble.MISCONFIGURED
    assert len(ann.submitted) <= 6
    live(harness, 30)
    assert len(ann.submitted) <= 20, "tried again after growing pauses"
    assert harness.sql("SELECT count(*) FROM job WHERE state = 'queued'")[0][0] > 25
    ann.odd.clear()
    live(harness, 20)
    assert (trouble(harness), len(ann.accepted) > 25) == (None, True)


def test_l16_three_odd_contacts_among_many_stop_nobody_for_long(build: Build) -> None:
    ann = Unsteady()
    ann.odd = {"501", "502", "503"}
    harness = crowd(build, ann, 40)
    harness.dispatch()
    live(harness, 20)
    assert len(ann.accepted) == 37
    assert [harness.state(one) for one in sorted(ann.odd)] == ["waiting"] * 3


def test_l16_what_is_documented_as_the_contacts_fault_halts_nothing(build: Build) -> None:
    ann = Unsteady()
    ann.odd, ann.refusal = {str(501 + n) for n in range(6)}, Skip("linkedin_url must be a URL")
    harness = crowd(build, ann, 8)
    harness.dispatch()
    assert (trouble(harness), len(ann.accepted)) == (None, 2)


# --- credits ----------------------------------------------------------------------------------


def both(build: Build, ann: Unsteady, people: int) -> Harness:
    harness = build(providers=[ann])
    ann.harness = harness
    for n in range(people):
        harness.person(f"P{n}")
    harness.pull()
    harness.plan()
    return harness


@pytest.mark.parametrize("combines", [True, False])
def test_l15_what_can_still_be_paid_goes_on(build: Build, combines: bool) -> None:
    """5 credits are left, a phone costs 10."""
    ann = Unsteady(capabilities=replace(ONE_BY_ONE, combines=combines))
    ann.poor, ann.left = True, Decimal(5)
    harness = both(build, ann, 6)
    harness.dispatch()
    assert trouble(harness) is None
    asked = {
        field: sum(field in r.fields for s in ann.accepted.values() for r in s.requests) for field in (EMAIL, PHONE)
    }
    assert asked == {EMAIL: 6, PHONE: 0}
    harness.probe()
    made = len(ann.submitted)
    harness.dispatch()
    assert len(ann.submitted) == made, "nothing is tried in vain while the balance stands"
    [told] = harness.conditions("credits")
    assert (told.who, told.what, "10 credits or more" in told.why, "has 5" in told.why) == (
        "ann", "is short of credits", True, True
    )  # fmt: skip
    assert harness.parts.lanes["ann"].too_dear == [PHONE]
    moving = harness.run(harness.ledger.read(reports.moving))
    dear = [("ann", PHONE)]
    assert moving - harness.run(harness.ledger.read(reports.moving, (), (), dear)) == 6, (
        "nobody waits for credits to come"
    )
    ann.left = Decimal(12)
    harness.probe()
    assert harness.conditions("credits") == []
    harness.dispatch()
    assert sum(PHONE in r.fields for s in ann.accepted.values() for r in s.requests) == 6


def test_l15_many_phones_do_not_hide_the_emails_behind_them(build: Build) -> None:
    ann = Unsteady()
    ann.poor, ann.left = True, Decimal(5)
    harness = both(build, ann, 450)
    while harness.plan():
        pass
    harness.dispatch()
    assert len(ann.accepted) == 450


def test_l15_a_smaller_batch_is_tried(build: Build) -> None:
    ann = Unsteady(capabilities=CAPABILITIES)
    ann.poor, ann.left = True, Decimal(5)
    harness = crowd(build, ann, 9)
    harness.clock.time += LINGER
    harness.dispatch()
    assert trouble(harness) is None
    assert [len(s.requests) for s in ann.accepted.values()][:1] == [4]


def test_l15_without_any_credits_the_connection_is_halted_and_comes_back(build: Build) -> None:
    ann = Unsteady()
    ann.poor, ann.left = True, Decimal(0)
    harness = crowd(build, ann, 3)
    harness.dispatch()
    assert trouble(harness) is Trouble.CREDITS
    harness.probe()
    assert trouble(harness) is Trouble.CREDITS
    ann.left = Decimal(1)
    harness.probe()
    assert trouble(harness) is None
    harness.dispatch()
    assert len(ann.accepted) == 3


def test_l15_a_bulk_that_ran_out_of_credits_for_phones_leaves_emails_going(build: Build) -> None:
    ann = Unsteady(capabilities=replace(ONE_BY_ONE, combines=False))
    harness = both(build, ann, 1)
    harness.dispatch()
    phone = next(s for s in ann.submitted if s.requests[0].fields == (PHONE,))
    results = [{"id": phone.requests[0].id, "field": "phone", "outcome": "no_credits"}]
    body = said(results, charged=Decimal(0))
    harness.deliver(
        Delivery(
            submission_id=phone.id,
            source=ann.delivery(phone).source,
            body=body,
            headers=ann.delivery(phone, body=body).headers,
        )
    )
    harness.inbox()
    assert trouble(harness) is None
    harness.person("Bo")
    harness.pull()
    harness.plan()
    harness.dispatch()
    assert [s.requests[0].fields for s in ann.submitted[2:]] == [(EMAIL,)]


# --- turns ------------------------------------------------------------------------------------


def two(build: Build, ann: Unsteady, people: int = 40, **shares: int) -> Harness:
    harness = build(providers=[ann], second=FakeCrm("crm2", first=9001), fields={EMAIL: ["ann"]})
    ann.harness = harness
    names = [sync.name for sync in harness.settings.syncs]
    syncs = tuple(
        replace(s, priority=shares.get(key, 10)) for s, key in zip(harness.settings.syncs, ("one", "two"), strict=True)
    )
    harness.reopen(replace(harness.settings, syncs=syncs))
    assert len(names) == 2
    for n in range(people):
        harness.person(f"P{n}")
        harness.crms["crm2"].add(
            replace(
                harness.crm.records["501"].identity,
                first_name="Q",
                last_name=f"Q{n}",
                linkedin_url=f"https://linkedin.com/in/q{n}",
            )
        )
    harness.pull()
    harness.plan()
    return harness


def by_crm(ann: Unsteady) -> tuple[int, int]:
    asked = [r.ref.connection for s in ann.submitted for r in s.requests]
    return asked.count("crm"), asked.count("crm2")


def limited(calls: int) -> Unsteady:
    return Unsteady(capabilities=replace(ONE_BY_ONE, windows=(Window(60.0, calls),)))


def test_l18_two_syncs_share_a_provider_by_turns(build: Build) -> None:
    ann = limited(4)
    harness = two(build, ann)
    live(harness, 10)
    one, other = by_crm(ann)
    assert one + other == 40
    assert abs(one - other) <= 8


def test_l18_turns_go_on_after_a_restart(build: Build) -> None:
    ann = limited(2)
    harness = two(build, ann)
    for _ in range(8):
        live(harness, 1)
        harness.reopen()
    assert min(by_crm(ann)) >= 4


def test_l18_a_priority_is_a_share(build: Build) -> None:
    ann = limited(6)
    harness = two(build, ann, people=90, one=30)
    live(harness, 16)
    one, other = by_crm(ann)
    assert 2 * other < one < 5 * other


def test_l18_somebody_new_is_asked_before_any_backfill(build: Build) -> None:
    ann = Unsteady(capabilities=replace(ONE_BY_ONE, windows=(Window(3600.0, 10),)))
    harness = two(build, ann, people=40)
    live(harness, 5)
    assert len(ann.submitted) == 9, "a part of the hour's limit is kept"
    harness.crms["crm2"].add(
        replace(
            harness.crm.records["501"].identity,
            first_name="New",
            last_name="One",
            linkedin_url="https://linkedin.com/in/new",
        )
    )
    harness.pull()
    harness.plan()
    live(harness, 1)
    assert len(ann.submitted) == 10
    assert ann.submitted[-1].requests[0].identity.last_name == "One"


def test_l18_a_new_contact_of_the_same_sync_goes_first_and_a_sweep_makes_nobody_new(build: Build) -> None:
    ann = limited(2)
    harness = crowd(build, ann, 20)
    live(harness, 2)
    new = harness.person("Zoe")
    harness.crm.edit("515", "mobile", "")  # changed, and pulled again
    harness.pull()
    harness.plan()
    live(harness, 1)
    assert ann.submitted[4].requests[0].ref.id == new
    assert harness.sql("SELECT count(*) FROM job WHERE priority > 0") == [(1,)]


def test_l18_what_is_new_does_not_keep_another_sync_from_its_share(build: Build) -> None:
    ann = limited(10)
    harness = two(build, ann, people=150)
    for n in range(150):
        harness.person(f"Z{n}")
    harness.pull()
    while harness.plan():
        pass
    live(harness, 30)
    one, other = by_crm(ann)
    assert one + other == 300
    assert one >= other >= 100
