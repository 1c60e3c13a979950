"""What comes along with an answer: numbers of another kind, and the profile, each to a property of its own."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from syncd.contract.model import Candidate, Field, Grade, Identity
from tests.contract.fake_crm import FakeCrm
from tests.contract.fake_provider import FakeProvider

from .house import ONE_BY_ONE, PHONE, House

MOBILE, FIXED = "+33639980012", "+33199000012"
PROFILE = "https://www.linkedin.com/in/ada-test"
EMAIL = Field.EMAIL


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    with House(tmp_path, providers=[FakeProvider("ann", capabilities=ONE_BY_ONE)], crm=FakeCrm("crm")) as made:
        sync = made.settings.syncs[0]
        phone = replace(sync.fields[PHONE], mobile="mobile", also=("mobile",))
        routed = replace(sync, fields={**sync.fields, PHONE: phone}, linkedin="linkedin")
        made.reopen(replace(made.settings, syncs=(routed,)))
        yield made


def numbers(house: House, contact: str, *values: tuple[str, str]) -> None:
    found = tuple(Candidate(value=value, grade=Grade.VALID, line=line) for value, line in values)
    house.fake.finds[contact, PHONE] = found


def finish(house: House) -> None:
    for _ in range(3):
        house.answer_all()
        house.finish()
        house.writeback()


def held(house: House, contact: str) -> dict[str, str]:
    return {name: value for name, value in house.crm.records[contact].values.items() if value}


def test_v6_a_mobile_and_a_landline_go_to_their_own_properties(house: House) -> None:
    ada = house.person(email="ada@acme.example")
    numbers(house, ada, (FIXED, "fixed"), (MOBILE, "mobile"))
    house.ask()
    finish(house)
    assert held(house, ada) == {"email": "ada@acme.example", "phone": FIXED, "mobile": MOBILE}
    assert len(house.fake.submitted) == 1, "one purchase"


def test_v6_a_mobile_alone_goes_to_the_mobiles(house: House) -> None:
    ada = house.person(email="ada@acme.example")
    numbers(house, ada, (MOBILE, "mobile"))
    house.ask()
    finish(house)
    assert held(house, ada) == {"email": "ada@acme.example", "mobile": MOBILE}


def test_a_property_that_somebody_filled_is_left_alone(house: House) -> None:
    ada = house.person(email="ada@acme.example")
    numbers(house, ada, (FIXED, "fixed"), (MOBILE, "mobile"))
    house.ask()
    house.crm.edit(ada, "mobile", "+33639980099")
    finish(house)
    assert held(house, ada) == {"email": "ada@acme.example", "phone": FIXED, "mobile": "+33639980099"}


def test_q6_a_profile_that_an_answer_brings_is_written_and_told_next(house: House) -> None:
    who = Identity(first_name="Ada", last_name="Test", company="Acme", domain="acme.example")
    ada = house.crm.add(who)
    house.finds(ada, EMAIL, "ada.test@acme.example")
    numbers(house, ada, (MOBILE, "mobile"))
    house.fake.says[ada, EMAIL] = (replace(who, linkedin_url=PROFILE),)
    house.pull()
    house.plan()
    house.dispatch()
    by_mail = next(s for s in house.fake.submitted if s.requests[0].fields == (EMAIL,))
    house.call_back(by_mail)
    house.verify()
    finish(house)
    assert held(house, ada) == {"email": "ada.test@acme.example", "mobile": MOBILE, "linkedin": PROFILE}


def test_a_profile_of_the_records_own_is_not_replaced(house: House) -> None:
    ada = house.person("Ada")
    house.finds(ada, EMAIL, "ada.test@acme.example")
    house.fake.says[ada, EMAIL] = (Identity(first_name="Ada", last_name="Test", linkedin_url=PROFILE),)
    house.ask()
    finish(house)
    assert "linkedin" not in held(house, ada)
    assert house.job(ada, EMAIL) == ("review", ""), "another profile beside the same name is doubtful"


WHO = Identity(first_name="Ada", last_name="Test", company="Acme", domain="acme.example")
ALL = {"email": "ada.test@acme.example", "phone": FIXED, "mobile": MOBILE, "linkedin": PROFILE}


def accepted(house: House) -> str:
    """A contact for whom an e-mail, two numbers and a profile were found, and are about to be written."""
    ada = house.crm.add(WHO)
    finds_all(house, ada, WHO)
    house.pull()
    house.plan()
    for _ in range(2):  # the phone is asked for by the profile that came with the e-mail
        house.dispatch()
        house.answer_all()
        house.verify()
    assert {house.state(ada, Field(name)) for name in ALL} == {"accepted"}
    return ada


def finds_all(house: House, contact: str, who: Identity) -> None:
    house.finds(contact, EMAIL, "ada.test@acme.example")
    numbers(house, contact, (FIXED, "fixed"), (MOBILE, "mobile"))
    for field in (EMAIL, PHONE):
        house.fake.says[contact, field] = (replace(who, linkedin_url=PROFILE),)


def test_what_came_along_survives_being_judged_again(house: House) -> None:
    ada = accepted(house)
    house.crm.add(WHO, email="another@acme.example")  # a namesake: whatever was decided is decided once more
    house.pull()
    assert {house.state(ada, Field(name)) for name in ALL} == {"answered"}
    finish(house)
    assert held(house, ada) == ALL


def test_what_came_along_is_not_written_to_somebody_else(house: House) -> None:
    ada = accepted(house)
    bo = Identity(first_name="Bo", last_name="Berg", company="Acme", domain="acme.example")
    house.crm.records[ada].identity = bo
    house.finish()
    house.verify()
    house.writeback()
    assert held(house, ada) == {}
    assert {house.job(ada, field) for field in (Field.MOBILE, Field.LINKEDIN)} == {("done", "cancelled")}

    house.fake.says.clear()
    finds_all(house, ada, bo)
    house.ask()
    house.answer_all()
    house.verify()
    finish(house)
    assert held(house, ada) == ALL, "what was found for the new person comes along as well"


def test_what_came_along_with_a_doubtful_answer_waits_with_it(house: House) -> None:
    """The record has a profile by now, and the answer names another one."""
    ada = accepted(house)
    house.crm.records[ada].identity = replace(WHO, linkedin_url=f"{PROFILE}-2")
    house.finish()
    house.verify()
    house.writeback()
    assert held(house, ada) == {}
    assert [house.state(ada, field) for field in (EMAIL, PHONE, Field.MOBILE)] == ["review"] * 3
    assert house.job(ada, Field.LINKEDIN) == ("done", "cancelled"), "it has one of its own"


def test_what_came_along_is_cancelled_where_it_is_not_asked_for_any_more(house: House) -> None:
    ada = accepted(house)
    sync = house.settings.syncs[0]
    phone = replace(sync.fields[PHONE], mobile=None)
    house.reopen(replace(house.settings, syncs=(replace(sync, linkedin=None, fields={**sync.fields, PHONE: phone}),)))
    house.crm.add(WHO, email="another@acme.example")
    house.pull()
    house.verify()
    assert {house.job(ada, field) for field in (Field.MOBILE, Field.LINKEDIN)} == {("done", "cancelled")}
