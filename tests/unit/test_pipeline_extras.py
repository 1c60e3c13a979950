"""What comes along with an answer: numbers of another kind, and the profile, each to a property of its own."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from syncd.contract.model import Candidate, Field, Grade, Identity
from syncd.ledger import reports
from tests.contract.fake_crm import FakeCrm
from tests.contract.fake_provider import FakeProvider

from .harness import ONE_BY_ONE, PHONE, Harness

MOBILE, FIXED = "+33639980012", "+33199000012"
PROFILE = "https://www.linkedin.com/in/ada-test"
EMAIL = Field.EMAIL


@pytest.fixture
def harness(tmp_path: Path) -> Iterator[Harness]:
    with Harness(tmp_path, providers=[FakeProvider("ann", capabilities=ONE_BY_ONE)], crm=FakeCrm("crm")) as made:
        sync = made.settings.syncs[0]
        phone = replace(sync.fields[PHONE], mobile="mobile", also=("mobile",))
        routed = replace(sync, fields={**sync.fields, PHONE: phone}, extras={Field.LINKEDIN: "linkedin"})
        made.reopen(replace(made.settings, syncs=(routed,)))
        yield made


def numbers(harness: Harness, contact: str, *values: tuple[str, str]) -> None:
    found = tuple(Candidate(value=value, grade=Grade.VALID, line=line) for value, line in values)
    harness.fake.finds[contact, PHONE] = found


def finish(harness: Harness) -> None:
    for _ in range(3):
        harness.answer_all()
        harness.finish()
        harness.writeback()


def held(harness: Harness, contact: str) -> dict[str, str]:
    return {name: value for name, value in harness.crm.records[contact].values.items() if value}


def test_v6_a_mobile_and_a_landline_go_to_their_own_properties(harness: Harness) -> None:
    ada = harness.person(email="ada@acme.example")
    numbers(harness, ada, (FIXED, "fixed"), (MOBILE, "mobile"))
    harness.ask()
    finish(harness)
    assert held(harness, ada) == {"email": "ada@acme.example", "phone": FIXED, "mobile": MOBILE}
    assert len(harness.fake.submitted) == 1, "one purchase"


def test_v6_a_mobile_alone_goes_to_the_mobiles(harness: Harness) -> None:
    ada = harness.person(email="ada@acme.example")
    numbers(harness, ada, (MOBILE, "mobile"))
    harness.ask()
    finish(harness)
    assert held(harness, ada) == {"email": "ada@acme.example", "mobile": MOBILE}


def test_a_property_that_somebody_filled_is_left_alone(harness: Harness) -> None:
    ada = harness.person(email="ada@acme.example")
    numbers(harness, ada, (FIXED, "fixed"), (MOBILE, "mobile"))
    harness.ask()
    harness.crm.edit(ada, "mobile", "+33639980099")
    finish(harness)
    assert held(harness, ada) == {"email": "ada@acme.example", "phone": FIXED, "mobile": "+33639980099"}


def test_q6_a_profile_that_an_answer_brings_is_written_and_told_next(harness: Harness) -> None:
    who = Identity(first_name="Ada", last_name="Test", company="Acme", domain="acme.example")
    ada = harness.crm.add(who)
    harness.finds(ada, EMAIL, "ada.test@acme.example")
    numbers(harness, ada, (MOBILE, "mobile"))
    harness.fake.says[ada, EMAIL] = (replace(who, linkedin_url=PROFILE),)
    harness.pull()
    harness.plan()
    harness.dispatch()
    by_mail = next(s for s in harness.fake.submitted if s.requests[0].fields == (EMAIL,))
    harness.call_back(by_mail)
    harness.verify()
    finish(harness)
    assert held(harness, ada) == {"email": "ada.test@acme.example", "mobile": MOBILE, "linkedin": PROFILE}


def test_a_profile_of_the_records_own_is_not_replaced(harness: Harness) -> None:
    ada = harness.person("Ada")
    harness.finds(ada, EMAIL, "ada.test@acme.example")
    harness.fake.says[ada, EMAIL] = (Identity(first_name="Ada", last_name="Test", linkedin_url=PROFILE),)
    harness.ask()
    finish(harness)
    assert "linkedin" not in held(harness, ada)
    assert harness.job(ada, EMAIL) == ("review", ""), "another profile beside the same name is doubtful"


WHO = Identity(first_name="Ada", last_name="Test", company="Acme", domain="acme.example")
ALL = {"email": "ada.test@acme.example", "phone": FIXED, "mobile": MOBILE, "linkedin": PROFILE}


def test_a_profile_that_an_answer_brought_tells_the_contact_from_a_namesake(harness: Harness) -> None:
    """The number comes with the same name and employer, and with another profile: a person has to look at it."""
    ada = harness.crm.add(WHO)
    harness.finds(ada, EMAIL, "ada.test@acme.example")
    numbers(harness, ada, (MOBILE, "mobile"))
    harness.fake.says[ada, EMAIL] = (replace(WHO, linkedin_url=PROFILE),)
    harness.fake.says[ada, PHONE] = (replace(WHO, linkedin_url=f"{PROFILE}-of-another"),)
    harness.pull()
    harness.plan()
    harness.dispatch()
    by_mail = next(s for s in harness.fake.submitted if s.requests[0].fields == (EMAIL,))
    harness.call_back(by_mail)
    harness.verify()
    harness.dispatch()
    harness.answer_all()
    harness.verify()
    assert (harness.state(ada, EMAIL), harness.state(ada, PHONE)) == ("accepted", "review")


def accepted(harness: Harness) -> str:
    """A contact for whom an e-mail, two numbers and a profile were found, and are about to be written."""
    ada = harness.crm.add(WHO)
    finds_all(harness, ada, WHO)
    harness.pull()
    harness.plan()
    for _ in range(2):  # the phone is asked for by the profile that came with the e-mail
        harness.dispatch()
        harness.answer_all()
        harness.verify()
    assert {harness.state(ada, Field(name)) for name in ALL} == {"accepted"}
    return ada


def finds_all(harness: Harness, contact: str, who: Identity) -> None:
    harness.finds(contact, EMAIL, "ada.test@acme.example")
    numbers(harness, contact, (FIXED, "fixed"), (MOBILE, "mobile"))
    for field in (EMAIL, PHONE):
        harness.fake.says[contact, field] = (replace(who, linkedin_url=PROFILE),)


def test_what_came_along_survives_being_judged_again(harness: Harness) -> None:
    ada = accepted(harness)
    harness.crm.add(WHO, email="another@acme.example")  # a namesake: whatever was decided is decided once more
    harness.pull()
    assert {harness.state(ada, Field(name)) for name in ALL} == {"answered"}
    finish(harness)
    assert held(harness, ada) == ALL


def test_what_came_along_is_not_written_to_somebody_else(harness: Harness) -> None:
    ada = accepted(harness)
    bo = Identity(first_name="Bo", last_name="Berg", company="Acme", domain="acme.example")
    harness.crm.records[ada].identity = bo
    harness.finish()
    harness.verify()
    harness.writeback()
    assert held(harness, ada) == {}
    assert {harness.job(ada, field) for field in (Field.MOBILE, Field.LINKEDIN)} == {("done", "cancelled")}

    harness.fake.says.clear()
    finds_all(harness, ada, bo)
    harness.ask()
    harness.answer_all()
    harness.verify()
    finish(harness)
    assert held(harness, ada) == ALL, "what was found for the new person comes along as well"


def test_what_came_along_with_a_doubtful_answer_waits_with_it(harness: Harness) -> None:
    """The record has a profile by now, and the answer names another one."""
    ada = accepted(harness)
    harness.crm.records[ada].identity = replace(WHO, linkedin_url=f"{PROFILE}-2")
    harness.finish()
    harness.verify()
    harness.writeback()
    assert held(harness, ada) == {}
    assert [harness.state(ada, field) for field in (EMAIL, PHONE, Field.MOBILE)] == ["review"] * 3
    assert harness.job(ada, Field.LINKEDIN) == ("done", "cancelled"), "it has one of its own"


def test_what_came_along_is_cancelled_where_it_is_not_asked_for_any_more(harness: Harness) -> None:
    ada = accepted(harness)
    sync = harness.settings.syncs[0]
    phone = replace(sync.fields[PHONE], mobile=None)
    harness.reopen(replace(harness.settings, syncs=(replace(sync, extras={}, fields={**sync.fields, PHONE: phone}),)))
    harness.crm.add(WHO, email="another@acme.example")
    harness.pull()
    harness.verify()
    assert {harness.job(ada, field) for field in (Field.MOBILE, Field.LINKEDIN)} == {("done", "cancelled")}


# --- what else an answer says of the person ------------------------------------------------------------

WHO = Identity(first_name="Ada", last_name="Test", company="Acme", domain="acme.example.com")
FOUND = "ada.test@acme.example.com"
PLACES = {Field.TITLE: "jobtitle", Field.COMPANY: "employer", Field.DOMAIN: "site"}


def described(harness: Harness, **said: str) -> str:
    """A contact that is found by e-mail, of whom the answer says more; what came of it is carried out."""
    sync = harness.sync
    harness.reopen(replace(harness.settings, syncs=(replace(sync, extras=PLACES, fields={EMAIL: sync.fields[EMAIL]}),)))
    harness.recover()
    ada = harness.crm.add(replace(WHO, company=None, domain="acme.example.com"))
    harness.finds(ada, EMAIL, FOUND)
    harness.fake.says[ada, EMAIL] = (replace(WHO, **said),)  # type: ignore[arg-type] # parts that are texts
    harness.ask()
    return ada


def test_what_an_answer_brings_is_written_with_it_for_nothing(harness: Harness) -> None:
    ada = described(harness, title="Head of Sales", company="Acme Ltd")
    finish(harness)
    assert held(harness, ada) == {"email": FOUND, "jobtitle": "Head of Sales", "employer": "Acme Ltd"}
    assert (harness.credits()["charged"], len(harness.fake.submitted)) == (1, 1)
    journey = harness.run(harness.ledger.read(reports.journey, harness.ref(ada)))
    assert journey is not None
    told = {
        job["field"]: [(one["property"], one["after"], one["policy"]) for one in job["writes"]]
        for job in journey["jobs"]
    }
    assert told["job_title"] == [("jobtitle", "Head of Sales", "fill_blank")]
    assert told["company"] == [("employer", "Acme Ltd", "fill_blank")]


def test_what_the_provider_was_told_is_no_news(harness: Harness) -> None:
    ada = described(harness)
    finish(harness)
    assert "site" not in held(harness, ada), "the domain is an echo"


def test_what_somebody_has_filled_or_clears_stays(harness: Harness) -> None:
    ada = described(harness, title="Head of Sales", company="Acme Ltd")
    harness.crm.edit(ada, "jobtitle", "CEO")
    finish(harness)
    assert held(harness, ada)["jobtitle"] == "CEO"
    harness.crm.edit(ada, "employer", "")
    harness.clock.time += 60
    harness.pull()
    harness.plan()
    finish(harness)
    assert "employer" not in held(harness, ada)


def test_of_somebody_who_may_be_another_nothing_is_brought(harness: Harness) -> None:
    ada = described(harness, title="Head of Sales", last_name="Other")
    finish(harness)
    assert held(harness, ada) == {}


def test_a_pull_does_not_call_what_stands_cleared(harness: Harness) -> None:
    ada = described(harness, title="Head of Sales")
    finish(harness)
    harness.crm.edit(ada, "mobile", "+33639980099")
    harness.crm.edit(ada, "email", "")
    harness.clock.time += 60
    harness.pull()
    harness.plan()
    assert harness.job(ada, Field.TITLE) == ("done", "written")


def test_an_undo_takes_it_back_too(harness: Harness) -> None:
    ada = described(harness, title="Head of Sales")
    finish(harness)
    harness.undo(contact=harness.ref(ada))
    harness.undoing()
    assert held(harness, ada) == {}


def test_without_a_place_nothing_is_brought(harness: Harness) -> None:
    ada = harness.crm.add(WHO)
    harness.finds(ada, EMAIL, FOUND)
    harness.fake.says[ada, EMAIL] = (replace(WHO, title="Head of Sales"),)
    harness.ask()
    finish(harness)
    assert held(harness, ada) == {"email": FOUND}
