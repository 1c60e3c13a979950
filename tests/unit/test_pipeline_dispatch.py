"""Dispatch's choice: who is asked, who waits, who shares, who can't be asked, and in which company."""

import asyncio
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from syncd.config import WhenUnavailable
from syncd.contract.errors import Halt, Trouble
from syncd.contract.model import Field, Grade, Identity
from syncd.ledger import connections, submissions
from syncd.pipeline import dispatch
from syncd.pipeline.dispatch import LINGER
from tests.contract.fake_provider import CAPABILITIES, STRANGER, FakeProvider

from .conftest import Build
from .harness import DAY, EMAIL, ONE_BY_ONE, PHONE, UNHEARD, Harness

ADA = Identity(first_name="Ada", last_name="Test", linkedin_url="https://linkedin.com/in/ada")


def asked(harness: Harness, name: str | None = None) -> list[tuple[str, ...]]:
    """(contact, fields…) of each request, in the order of the calls."""
    fake = harness.fakes[name or harness.fake.name]
    return [(r.ref.id, *sorted(r.fields)) for s in fake.submitted for r in s.requests]


# --- who --------------------------------------------------------------------------------------


def test_the_same_person_twice_in_a_page_is_asked_about_once_and_both_are_filled(harness: Harness) -> None:
    """The same profile, written in two ways."""
    twin_a = harness.crm.add(ADA)
    twin_b = harness.crm.add(replace(ADA, linkedin_url="http://fr.linkedin.com/in/Ada/?utm=1"))
    harness.finds(twin_a, EMAIL, "ada@acme.example.com")
    harness.ask()
    assert asked(harness) == [(twin_a, EMAIL), (twin_a, PHONE)]
    assert harness.job(twin_b) == ("waiting", "")
    harness.answer_all()
    harness.verify()
    harness.dispatch()
    assert len(harness.fake.submitted) == 2, "the answer is shared, not bought"
    assert harness.credits()["charged"] == 1
    harness.verify()
    assert harness.state(twin_b) == "accepted"


def test_a_person_in_flight_elsewhere_is_waited_for(harness: Harness) -> None:
    first = harness.crm.add(ADA)
    harness.ask()
    second = harness.crm.add(ADA)
    harness.ask()
    assert asked(harness) == [(first, EMAIL), (first, PHONE)]
    assert harness.state(second) == "waiting"
    assert harness.note(second) == "the same person, or one who may be, is being asked about"


def test_an_answer_that_is_known_is_shared_while_it_is_fresh(harness: Harness) -> None:
    first = harness.crm.add(ADA)
    harness.finds(first, EMAIL, "ada@acme.example.com")
    harness.ask()
    harness.answer_all()
    harness.finish()
    harness.clock.time += 60 * DAY
    second = harness.crm.add(ADA)
    harness.ask()
    assert asked(harness) == [(first, EMAIL), (first, PHONE)]
    harness.verify()
    assert (harness.state(second), harness.reason(second, PHONE)) == ("accepted", "not_found")
    harness.clock.time += 31 * DAY
    third = harness.crm.add(ADA)
    harness.ask()
    assert (third, EMAIL) in asked(harness)[2:], "old news, even if a copy of it is younger"


def test_a_find_about_somebody_else_is_not_shared(harness: Harness) -> None:
    first = harness.crm.add(ADA)
    harness.finds(first, EMAIL, "bob@acme.example.com")
    harness.ask()
    for sent in harness.fake.submitted:
        harness.call_back(sent, harness.fake.body(sent, said=[STRANGER]))
    harness.verify()
    second = harness.crm.add(ADA)
    known_better = harness.crm.add(replace(ADA, company="Acme"))
    harness.ask()
    harness.verify()
    assert (second, EMAIL) not in asked(harness), "the identical question is never bought again"
    assert harness.job(second) == ("done", "identity_mismatch")
    assert (known_better, EMAIL) in asked(harness), "what tells the provider more is another question"


def test_who_lacks_the_input_is_skipped_for_free_with_the_reason(harness: Harness) -> None:
    nobody = harness.crm.add(Identity(first_name="Ada"))
    harness.ask()
    harness.verify()
    assert (harness.job(nobody), harness.fake.submitted) == (("done", "rejected_input"), [])
    assert harness.note(nobody) == "needs a LinkedIn profile, or a last name"


def test_filled_or_blocked_since_the_plan_is_not_asked_about(harness: Harness) -> None:
    ada, bo = harness.person("Ada"), harness.person("Bo")
    harness.pull()
    harness.plan()
    harness.crm.edit(ada, "email", "ada@typed.test")
    harness.crm.records[bo].blocked = {EMAIL: "opted_out", PHONE: ""}
    harness.crm.edit(bo, "work_phone", "1")
    harness.pull()
    harness.dispatch()
    assert asked(harness) == [(ada, PHONE)]
    assert (harness.reason(ada), harness.reason(bo), harness.reason(bo, PHONE)) == (
        "human_value_kept", "suppressed", "suppressed",
    )  # fmt: skip


def test_a_provider_that_is_not_asked_for_a_field_any_more(build: Build) -> None:
    """The operator has taken a field away from a provider while its jobs were queued."""
    ann, bob = FakeProvider("ann", capabilities=ONE_BY_ONE), FakeProvider("bob", capabilities=ONE_BY_ONE)
    harness = build(providers=[ann, bob], fields={EMAIL: ["ann"], PHONE: ["ann"]})
    ada = harness.person()
    harness.pull()
    harness.plan()
    fields = {EMAIL: harness.sync.fields[EMAIL], PHONE: replace(harness.sync.fields[PHONE], providers=("bob",))}
    harness.reopen(replace(harness.settings, syncs=(replace(harness.sync, fields=fields),)))
    harness.dispatch("ann")
    harness.verify()
    harness.dispatch("bob")
    assert (asked(harness, "ann"), asked(harness, "bob")) == ([(ada, EMAIL)], [(ada, PHONE)])


# --- e-mail before phone ----------------------------------------------------------------------


class NeedsMail(FakeProvider):
    """Like the providers that can look a phone up only by profile or e-mail."""

    def lacks(self, request: object) -> str | None:
        identity, fields = request.identity, request.fields  # type: ignore[attr-defined]
        return "needs an e-mail" if PHONE in fields and not identity.email else None


def test_a_phone_that_needs_the_email_waits_for_it_and_is_asked_with_it(build: Build) -> None:
    harness = build(providers=[NeedsMail("ann", capabilities=UNHEARD)])
    ada = harness.person()
    harness.finds(ada, EMAIL, "ada@acme.example.com")
    harness.ask()
    assert (asked(harness), harness.state(ada, PHONE)) == ([(ada, EMAIL)], "waiting")
    harness.answer_all()
    harness.verify()
    harness.dispatch()
    assert asked(harness)[1:] == [(ada, PHONE)]
    assert harness.fake.submitted[-1].requests[0].identity.email == "ada@acme.example.com"


def test_a_phone_whose_email_is_never_found_is_skipped_then(build: Build) -> None:
    harness = build(providers=[NeedsMail("ann", capabilities=UNHEARD)])
    ada = harness.person()
    harness.ask()
    harness.answer_all()
    harness.verify()
    harness.dispatch()
    harness.verify()
    assert (asked(harness), harness.job(ada, PHONE)) == ([(ada, EMAIL)], ("done", "rejected_input"))


# --- company ----------------------------------------------------------------------------------


def test_both_fields_of_a_contact_go_in_one_request_where_that_is_possible(build: Build) -> None:
    harness = build(providers=[FakeProvider("ann", capabilities=CAPABILITIES)])
    people = [harness.person(n) for n in ("Ada", "Bo")]
    harness.pull()
    harness.plan()
    harness.clock.time += LINGER
    harness.dispatch()
    assert asked(harness) == [(p, EMAIL, PHONE) for p in people]
    assert harness.sql("SELECT requests, reserved_mc FROM submission") == [(2, 22_000)]
    url = harness.fake.submitted[0].callback_url
    assert "contactId" not in url, "many contacts: none in the address"


def test_bulks_are_full_or_have_waited_long_enough(build: Build) -> None:
    harness = build(
        providers=[FakeProvider("ann", capabilities=replace(CAPABILITIES, batch=2))], fields={EMAIL: ["ann"]}
    )
    for name in ("Ada", "Bo", "Cy"):
        harness.person(name)
    assert harness.ask() == 1
    assert [len(s.requests) for s in harness.fake.submitted] == [2]
    harness.clock.time += LINGER - 1
    assert harness.dispatch() == 0
    harness.clock.time += 1
    assert harness.dispatch() == 1
    assert [len(s.requests) for s in harness.fake.submitted] == [2, 1]


def test_an_address_for_one_contact_carries_its_ids(harness: Harness) -> None:
    ada = harness.person()
    harness.ask()
    url = harness.fake.submitted[0].callback_url
    assert f"crm=crm&object=contacts&contactId={ada}&field=email" in url
    assert url.startswith("https://enrich.example.com/callbacks/ann?a=")


# --- an unavailable provider ------------------------------------------------------------------


@pytest.mark.parametrize("when", list(WhenUnavailable))
def test_a_halted_provider_is_waited_for_or_passed_over(build: Build, when: WhenUnavailable) -> None:
    ann, bob = FakeProvider("ann", capabilities=ONE_BY_ONE), FakeProvider("bob", capabilities=ONE_BY_ONE)
    harness = build(providers=[ann, bob], when_unavailable=when)
    ada = harness.person()
    ann.refusals += [Halt("no credits", trouble=Trouble.CREDITS, cure="buy some")] * 2  # both are in flight at once
    harness.ask()
    harness.dispatch("ann")
    harness.verify()
    harness.dispatch("bob")
    passed_over = when is WhenUnavailable.NEXT
    assert asked(harness, "bob") == ([(ada, EMAIL), (ada, PHONE)] if passed_over else [])
    assert harness.state(ada) == ("sent" if passed_over else "queued")


def test_the_last_provider_is_waited_for_in_any_case(build: Build) -> None:
    """There is no next one: giving up would lose what can be had as soon as it is back."""
    harness = build(when_unavailable=WhenUnavailable.NEXT)
    ada = harness.person()
    harness.pull()
    harness.plan()
    harness.run(harness.ledger.write(connections.halt, "ann", Trouble.CREDITS, "none left", "buy", now=0.0))
    assert harness.dispatch() == 0
    harness.verify()
    assert harness.state(ada) == "queued"


def test_nothing_is_bought_that_could_not_be_written(harness: Harness) -> None:
    harness.person()
    harness.pull()
    harness.plan()
    harness.run(harness.ledger.write(connections.halt, "crm", Trouble.CREDENTIALS, "no key", "give one", now=0.0))
    assert harness.dispatch() == 0


def test_nothing_is_bought_while_the_gate_is_shut(harness: Harness) -> None:
    harness.person()
    harness.parts.gate.set("callbacks", "nobody can reach us")
    assert harness.ask() == 0
    assert harness.submissions() == []
    harness.parts.gate.set("callbacks", "")
    assert harness.dispatch() == 2


def test_the_gate_that_shuts_in_the_middle_stops_what_has_not_begun(harness: Harness) -> None:
    class Shuts(FakeProvider):
        async def submit(self, submission):  # type: ignore[no-untyped-def]
            harness.parts.gate.set("callbacks", "gone")
            return await super().submit(submission)

    fake = Shuts("ann", capabilities=ONE_BY_ONE)
    harness.parts.lanes["ann"].provider = fake
    for n in range(30):
        harness.person(f"N{n}")
    assert 1 <= harness.ask() <= 8, "those in flight, and then an end"


def test_a_paused_sync_buys_nothing(harness: Harness) -> None:
    harness.person()
    harness.pull()
    harness.plan()
    harness.reopen(replace(harness.settings, syncs=(replace(harness.sync, paused=True),)))
    assert harness.dispatch() == 0


def test_the_catch_all_grade_is_no_reason_to_ask_the_same_provider_again(harness: Harness) -> None:
    ada = harness.person()
    harness.finds(ada, Field.EMAIL, "ada@acme.example.com", grade=Grade.CATCH_ALL)
    harness.ask()
    harness.answer_all()
    harness.verify()
    assert harness.dispatch() == 0
    assert (harness.job(ada), harness.credits()["charged"]) == (("done", "low_quality"), Decimal(1))


# --- in flight --------------------------------------------------------------------------------


def people(harness: Harness, n: int) -> None:
    for k in range(n):
        harness.person(f"Ada{k}")
    harness.pull()
    harness.plan()


def test_an_acceptance_is_stored_beside_the_next_intent(build: Build, monkeypatch: pytest.MonkeyPatch) -> None:
    """One place: were it kept until the acceptance is on disk, each call would wait for two commits."""
    harness = build(fields={EMAIL: ["ann"]})
    people(harness, 10)
    lane, engine, commits = harness.parts.lanes["ann"], harness.parts.ledger._engine, list[object]()
    lane.places = asyncio.Semaphore(1)
    commit = engine.commit

    def counted(connection: Any) -> None:
        commits.append(connection)
        commit(connection)

    monkeypatch.setattr(engine, "commit", counted)
    assert harness.dispatch() == 10
    assert len(commits) < 2 * 10


def test_where_the_ledger_stores_nothing_few_calls_are_made(build: Build, monkeypatch: pytest.MonkeyPatch) -> None:
    harness = build(fields={EMAIL: ["ann"]})
    people(harness, 12)
    lane, ledger, free = harness.parts.lanes["ann"], harness.parts.ledger, asyncio.Event()
    lane.places, lane.storing = asyncio.Semaphore(3), asyncio.Semaphore(2)
    write = ledger.write

    async def hold_acceptances(work: Any, *args: Any, **kwargs: Any) -> Any:
        if work is submissions.accept:
            await free.wait()
        return await write(work, *args, **kwargs)

    async def stall() -> int:
        going = asyncio.create_task(dispatch.run_once(harness.parts, "ann"))
        await asyncio.sleep(0.5)
        made = len(harness.fake.submitted)
        free.set()
        await going
        return made

    monkeypatch.setattr(ledger, "write", hold_acceptances)
    assert harness.run(stall()) == 5, "two are being stored, three wait for that"
    assert len(harness.fake.submitted) == 12
    assert set(harness.submissions()) == {"accepted"}
