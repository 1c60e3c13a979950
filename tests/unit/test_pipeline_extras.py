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
