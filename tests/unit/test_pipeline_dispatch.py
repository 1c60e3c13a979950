"""Dispatch's choice: who is asked, who waits, who shares, who can't be asked, and in which company."""

from dataclasses import replace
from decimal import Decimal

import pytest

from syncd.config import WhenUnavailable
from syncd.contract.errors import Halt, Trouble
from syncd.contract.model import Field, Grade, Identity
from syncd.ledger import connections
from syncd.pipeline.dispatch import LINGER
from tests.contract.fake_provider import CAPABILITIES, STRANGER, FakeProvider

from .conftest import Build
from .house import DAY, EMAIL, ONE_BY_ONE, PHONE, UNHEARD, House

ADA = Identity(first_name="Ada", last_name="Test", linkedin_url="https://linkedin.com/in/ada")


def asked(house: House, name: str | None = None) -> list[tuple[str, ...]]:
    """(contact, fields…) of each request, in the order of the calls."""
    fake = house.fakes[name or house.fake.name]
    return [(r.ref.id, *sorted(r.fields)) for s in fake.submitted for r in s.requests]


# --- who --------------------------------------------------------------------------------------


def test_the_same_person_twice_in_a_page_is_asked_about_once_and_both_are_filled(house: House) -> None:
    """The same profile, written in two ways."""
    twin_a = house.crm.add(ADA)
    twin_b = house.crm.add(replace(ADA, linkedin_url="http://fr.linkedin.com/in/Ada/?utm=1"))
    house.finds(twin_a, EMAIL, "ada@acme.example.com")
    house.ask()
    assert asked(house) == [(twin_a, EMAIL), (twin_a, PHONE)]
    assert house.job(twin_b) == ("waiting", "")
    house.answer_all()
    house.verify()
    house.dispatch()
    assert len(house.fake.submitted) == 2, "the answer is shared, not bought"
    assert house.credits()["charged"] == 1
    house.verify()
    assert house.state(twin_b) == "accepted"


def test_a_person_in_flight_elsewhere_is_waited_for(house: House) -> None:
    first = house.crm.add(ADA)
    house.ask()
    second = house.crm.add(ADA)
    house.ask()
    assert asked(house) == [(first, EMAIL), (first, PHONE)]
    assert house.state(second) == "waiting"
    assert house.note(second) == "the same person, or one who may be, is being asked about"


def test_an_answer_that_is_known_is_shared_while_it_is_fresh(house: House) -> None:
    first = house.crm.add(ADA)
    house.finds(first, EMAIL, "ada@acme.example.com")
    house.ask()
    house.answer_all()
    house.finish()
    house.clock.time += 60 * DAY
    second = house.crm.add(ADA)
    house.ask()
    assert asked(house) == [(first, EMAIL), (first, PHONE)]
    house.verify()
    assert (house.state(second), house.reason(second, PHONE)) == ("accepted", "not_found")
    house.clock.time += 31 * DAY
    third = house.crm.add(ADA)
    house.ask()
    assert (third, EMAIL) in asked(house)[2:], "old news, even if a copy of it is younger"


def test_a_find_about_somebody_else_is_not_shared(house: House) -> None:
    first = house.crm.add(ADA)
    house.finds(first, EMAIL, "bob@acme.example.com")
    house.ask()
    for sent in house.fake.submitted:
        house.call_back(sent, house.fake.body(sent, said=[STRANGER]))
    house.verify()
    second = house.crm.add(ADA)
    known_better = house.crm.add(replace(ADA, company="Acme"))
    house.ask()
    house.verify()
    assert (second, EMAIL) not in asked(house), "the identical question is never bought again"
    assert house.job(second) == ("done", "identity_mismatch")
    assert (known_better, EMAIL) in asked(house), "what tells the provider more is another question"


def test_who_lacks_the_input_is_skipped_for_free_with_the_reason(house: House) -> None:
    nobody = house.crm.add(Identity(first_name="Ada"))
    house.ask()
    house.verify()
    assert (house.job(nobody), house.fake.submitted) == (("done", "rejected_input"), [])
    assert house.note(nobody) == "needs a LinkedIn profile, or a last name"


def test_filled_or_blocked_since_the_plan_is_not_asked_about(house: House) -> None:
    ada, bo = house.person("Ada"), house.person("Bo")
    house.pull()
    house.plan()
    house.crm.edit(ada, "email", "ada@typed.test")
    house.crm.records[bo].blocked = {EMAIL: "opted_out", PHONE: ""}
    house.crm.edit(bo, "work_phone", "1")
    house.pull()
    house.dispatch()
    assert asked(house) == [(ada, PHONE)]
    assert (house.reason(ada), house.reason(bo), house.reason(bo, PHONE)) == (
        "human_value_kept", "suppressed", "suppressed",
    )  # fmt: skip


def test_a_provider_that_is_not_asked_for_a_field_any_more(build: Build) -> None:
    """The operator has taken a field away from a provider while its jobs were queued."""
    ann, bob = FakeProvider("ann", capabilities=ONE_BY_ONE), FakeProvider("bob", capabilities=ONE_BY_ONE)
    house = build(providers=[ann, bob], fields={EMAIL: ["ann"], PHONE: ["ann"]})
    ada = house.person()
    house.pull()
    house.plan()
    fields = {EMAIL: house.sync.fields[EMAIL], PHONE: replace(house.sync.fields[PHONE], providers=("bob",))}
    house.reopen(replace(house.settings, syncs=(replace(house.sync, fields=fields),)))
    house.dispatch("ann")
    house.verify()
    house.dispatch("bob")
    assert (asked(house, "ann"), asked(house, "bob")) == ([(ada, EMAIL)], [(ada, PHONE)])


# --- e-mail before phone ----------------------------------------------------------------------


class NeedsMail(FakeProvider):
    """Like the providers that can look a phone up only by profile or e-mail."""

    def lacks(self, request: object) -> str | None:
        identity, fields = request.identity, request.fields  # type: ignore[attr-defined]
        return "needs an e-mail" if PHONE in fields and not identity.email else None


def test_a_phone_that_needs_the_email_waits_for_it_and_is_asked_with_it(build: Build) -> None:
    house = build(providers=[NeedsMail("ann", capabilities=UNHEARD)])
    ada = house.person()
    house.finds(ada, EMAIL, "ada@acme.example.com")
    house.ask()
    assert (asked(house), house.state(ada, PHONE)) == ([(ada, EMAIL)], "waiting")
    house.answer_all()
    house.verify()
    house.dispatch()
    assert asked(house)[1:] == [(ada, PHONE)]
    assert house.fake.submitted[-1].requests[0].identity.email == "ada@acme.example.com"


def test_a_phone_whose_email_is_never_found_is_skipped_then(build: Build) -> None:
    house = build(providers=[NeedsMail("ann", capabilities=UNHEARD)])
    ada = house.person()
    house.ask()
    house.answer_all()
    house.verify()
    house.dispatch()
    house.verify()
    assert (asked(house), house.job(ada, PHONE)) == ([(ada, EMAIL)], ("done", "rejected_input"))


# --- company ----------------------------------------------------------------------------------


def test_both_fields_of_a_contact_go_in_one_request_where_that_is_possible(build: Build) -> None:
    house = build(providers=[FakeProvider("ann", capabilities=CAPABILITIES)])
    people = [house.person(n) for n in ("Ada", "Bo")]
    house.pull()
    house.plan()
    house.clock.time += LINGER
    house.dispatch()
    assert asked(house) == [(p, EMAIL, PHONE) for p in people]
    assert house.sql("SELECT requests, reserved_mc FROM submission") == [(2, 22_000)]
    url = house.fake.submitted[0].callback_url
    assert "contactId" not in url, "many contacts: none in the address"


def test_bulks_are_full_or_have_waited_long_enough(build: Build) -> None:
    house = build(providers=[FakeProvider("ann", capabilities=replace(CAPABILITIES, batch=2))], fields={EMAIL: ["ann"]})
    for name in ("Ada", "Bo", "Cy"):
        house.person(name)
    assert house.ask() == 1
    assert [len(s.requests) for s in house.fake.submitted] == [2]
    house.clock.time += LINGER - 1
    assert house.dispatch() == 0
    house.clock.time += 1
    assert house.dispatch() == 1
    assert [len(s.requests) for s in house.fake.submitted] == [2, 1]


def test_an_address_for_one_contact_carries_its_ids(house: House) -> None:
    ada = house.person()
    house.ask()
    url = house.fake.submitted[0].callback_url
    assert f"crm=crm&object=contacts&contactId={ada}&field=email" in url
    assert url.startswith("https://enrich.example.com/callbacks/ann?a=")


# --- an unavailable provider ------------------------------------------------------------------


@pytest.mark.parametrize("when", list(WhenUnavailable))
def test_a_halted_provider_is_waited_for_or_passed_over(build: Build, when: WhenUnavailable) -> None:
    ann, bob = FakeProvider("ann", capabilities=ONE_BY_ONE), FakeProvider("bob", capabilities=ONE_BY_ONE)
    house = build(providers=[ann, bob], when_unavailable=when)
    ada = house.person()
    ann.refusals += [Halt("no credits", trouble=Trouble.CREDITS, cure="buy some")] * 2  # both are in flight at once
    house.ask()
    house.dispatch("ann")
    house.verify()
    house.dispatch("bob")
    passed_over = when is WhenUnavailable.NEXT
    assert asked(house, "bob") == ([(ada, EMAIL), (ada, PHONE)] if passed_over else [])
    assert house.state(ada) == ("sent" if passed_over else "queued")


def test_the_last_provider_is_waited_for_in_any_case(build: Build) -> None:
    """There is no next one: giving up would lose what can be had as soon as it is back."""
    house = build(when_unavailable=WhenUnavailable.NEXT)
    ada = house.person()
    house.pull()
    house.plan()
    house.run(house.ledger.write(connections.halt, "ann", Trouble.CREDITS, "none left", "buy", now=0.0))
    assert house.dispatch() == 0
    house.verify()
    assert house.state(ada) == "queued"


def test_nothing_is_bought_that_could_not_be_written(house: House) -> None:
    house.person()
    house.pull()
    house.plan()
    house.run(house.ledger.write(connections.halt, "crm", Trouble.CREDENTIALS, "no key", "give one", now=0.0))
    assert house.dispatch() == 0


def test_nothing_is_bought_while_the_gate_is_shut(house: House) -> None:
    house.person()
    house.parts.gate.set("callbacks", "nobody can reach us")
    assert house.ask() == 0
    assert house.submissions() == []
    house.parts.gate.set("callbacks", "")
    assert house.dispatch() == 2


def test_the_gate_that_shuts_in_the_middle_stops_what_has_not_begun(house: House) -> None:
    class Shuts(FakeProvider):
        async def submit(self, submission):  # type: ignore[no-untyped-def]
            house.parts.gate.set("callbacks", "gone")
            return await super().submit(submission)

    fake = Shuts("ann", capabilities=ONE_BY_ONE)
    house.parts.lanes["ann"].provider = fake
    for n in range(30):
        house.person(f"N{n}")
    assert 1 <= house.ask() <= 8, "those in flight, and then an end"


def test_a_paused_sync_buys_nothing(house: House) -> None:
    house.person()
    house.pull()
    house.plan()
    house.reopen(replace(house.settings, syncs=(replace(house.sync, paused=True),)))
    assert house.dispatch() == 0


def test_the_catch_all_grade_is_no_reason_to_ask_the_same_provider_again(house: House) -> None:
    ada = house.person()
    house.finds(ada, Field.EMAIL, "ada@acme.example.com", grade=Grade.CATCH_ALL)
    house.ask()
    house.answer_all()
    house.verify()
    assert house.dispatch() == 0
    assert (house.job(ada), house.credits()["charged"]) == (("done", "low_quality"), Decimal(1))
