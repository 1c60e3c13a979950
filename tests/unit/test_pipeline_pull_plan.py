"""Pull and plan: every page once, every decision once, and never from old news."""

import asyncio
from dataclasses import replace
from typing import Any

import pytest

from syncd.contract.errors import Halt, Retry, Trouble
from syncd.contract.model import Contact, ContactRef, Field, Identity, Page
from syncd.ledger import cases, connections
from syncd.ledger.states import JobState
from syncd.ledger.store import Tx
from syncd.pipeline.plan import run_once
from tests.contract.fake_crm import FakeCrm

from .conftest import Build
from .furnish import store
from .house import EMAIL, PHONE, House
from .test_ledger_store import Held


def contact(ext_id: str = "1", **known: Any) -> Contact:
    return Contact(
        ref=ContactRef(connection="crm", object="contacts", id=ext_id), revision="1", identity=Identity(), **known
    )


# --- pull -------------------------------------------------------------------------------------


def test_everybody_comes_page_by_page_and_a_second_pull_brings_only_news(build: Build) -> None:
    house = build(crm=FakeCrm("crm", page=2))
    people = [house.person(name) for name in ("Ada", "Bo", "Cy", "Di", "Ed")]
    assert house.pull() == 5
    assert {row[0] for row in house.sql("SELECT ext_id FROM contact")} == set(people)
    house.person("Fi")
    assert house.pull() <= 2, "the new one, and at most some overlap"
    assert house.sql("SELECT count(*) FROM contact") == [(6,)]


def test_a_crash_between_pages_goes_on_from_the_stored_page(build: Build) -> None:
    house = build(crm=FakeCrm("crm", page=2))
    for name in ("Ada", "Bo", "Cy"):
        house.person(name)

    async def first_page_only() -> None:
        async for page in house.crm.pull(house.sync.selection, None):
            await house.ledger.write(store, house.sync, page, [EMAIL, PHONE], now=0.0)
            return

    house.run(first_page_only())
    house.reopen()
    assert house.pull() == 1, "the third, not the first two again"
    assert house.sql("SELECT count(*) FROM contact") == [(3,)]


def test_a_repeated_page_changes_nothing(house: House) -> None:
    house.person("Ada")
    house.pull()
    house.plan()

    def forget_cursor(tx: Tx) -> None:
        tx._connection.execute("UPDATE selection SET cursor = NULL")

    house.run(house.ledger.write(forget_cursor))
    before = house.sql("SELECT id, ext_id, lacks, planned FROM contact"), house.sql("SELECT * FROM job")
    assert house.pull() == 1
    assert house.plan() == 0
    assert (house.sql("SELECT id, ext_id, lacks, planned FROM contact"), house.sql("SELECT * FROM job")) == before


@pytest.mark.parametrize("error", [Retry("busy"), Halt("no key", trouble=Trouble.CREDENTIALS, cure="give one")])
def test_a_pull_that_fails_is_noted_and_what_came_stays(house: House, error: Retry | Halt) -> None:
    house.person("Ada")
    house.crm.fail("pull", error)
    with pytest.raises(type(error)):
        house.pull()
    assert house.sql("SELECT error, ended_at IS NULL FROM run") == [(str(error), 0)]
    halted = house.run(house.ledger.read(connections.trouble, "crm"))
    assert halted == (Trouble.CREDENTIALS if isinstance(error, Halt) else None)
    assert house.pull() == 1


def test_the_identity_is_tidy_in_the_ledger(house: House) -> None:
    house.crm.add(
        Identity(first_name="  Grégoire\u00a0", last_name="Démogé 🚀", domain="https://www.ACME.example.com/x")
    )
    house.pull()
    assert house.sql("SELECT identity FROM contact") == [
        ('{"domain": "acme.example.com", "first_name": "Grégoire", "last_name": "Démogé"}',)
    ]


# --- plan: the jobs ---------------------------------------------------------------------------


def test_a_job_that_exists_is_left_alone(house: House) -> None:
    ada = house.person("Ada")
    house.ask()
    house.crm.edit(ada, "work_phone", "1")
    house.crm.records[ada].identity = replace(house.crm.records[ada].identity, company="Another")
    house.pull()
    assert house.plan() == 0
    assert house.state(ada) == "sent"


def test_more_than_a_page_of_contacts_is_planned(house: House) -> None:
    for n in range(501):
        house.crm.add(Identity(first_name=f"N{n}", last_name="Test", domain="acme.example.com"))
    house.pull()
    assert house.plan() == 1002
    assert house.sql("SELECT count(*) FROM contact WHERE planned = 0") == [(0,)]


def test_who_is_unblocked_later_is_asked_about_then(house: House) -> None:
    ada = house.person("Ada")
    house.crm.records[ada].blocked = {EMAIL: "opted_out"}
    house.ask()
    assert house.job(ada) == ("done", "suppressed")
    house.crm.records[ada].blocked = {}
    house.crm.edit(ada, "work_phone", "1")
    house.ask()
    assert house.state(ada) == "sent"


def test_who_was_bought_before_the_block_is_not_bought_again_after_it(house: House) -> None:
    ada = house.person("Ada")
    house.finds(ada, EMAIL, "ada@acme.example.com")
    house.ask()
    house.answer_all()
    house.crm.records[ada].blocked = {EMAIL: "opted_out"}
    house.finish()
    assert house.job(ada) == ("done", "suppressed")
    calls = len(house.fake.submitted)
    house.pull()
    house.plan()
    house.crm.records[ada].blocked = {}
    house.crm.edit(ada, "work_phone", "1")
    house.ask()
    assert len(house.fake.submitted) == calls
    house.finish()
    assert (house.job(ada), house.held(ada)) == (("done", "written"), "ada@acme.example.com")


def test_who_could_not_be_asked_about_is_tried_again_when_more_is_known(house: House) -> None:
    nobody = house.crm.add(Identity(first_name="Ada"))
    house.ask()
    house.verify()
    assert house.job(nobody) == ("done", "rejected_input")
    house.crm.records[nobody].identity = Identity(first_name="Ada", last_name="Test", domain="acme.example.com")
    house.crm.edit(nobody, "work_phone", "1")
    house.finds(nobody, EMAIL, "ada@acme.example.com")
    house.ask()
    house.answer_all()
    house.finish()
    assert house.job(nobody) == ("done", "written")


def test_news_that_come_while_a_plan_is_made_are_planned_too(house: House) -> None:
    """A pull stores a newer page after the plan has looked and before it decides."""
    ada = house.person("Ada", phone="1")
    house.pull()

    async def race() -> None:
        held = Held()
        first = asyncio.create_task(house.ledger.write(held))
        await asyncio.to_thread(held.inside.wait, 30)
        house.crm.edit(ada, "phone", "")
        house.crm.records[ada].blocked = {EMAIL: "opted_out"}
        page = await anext(aiter(house.crm.pull(house.sync.selection, None)))
        news = house.ledger.write(store, house.sync, page, [EMAIL, PHONE], now=0.0)
        storing = asyncio.create_task(news)
        await asyncio.sleep(0)
        planning = asyncio.create_task(run_once(house.parts))
        await house.ledger.read(cases.changed, 1, now=0.0)
        held.go.set()
        await asyncio.gather(first, storing, planning)

    house.run(race())
    house.plan()
    assert (house.job(ada), house.reason(ada, PHONE)) == (("done", "suppressed"), "suppressed")


def test_a_contact_that_changed_in_what_matters_is_planned_again_and_else_not(house: House) -> None:
    def hold(tx: Tx, one: Contact) -> int:
        store(tx, house.sync, Page(contacts=(one,), cursor={}), [EMAIL, PHONE], now=0.0)
        return len(cases.changed(tx, 10, now=0.0))

    def stored(one: Contact) -> int:
        count = house.run(house.ledger.write(hold, one))
        house.plan()
        return count

    assert stored(contact()) == 1
    assert stored(replace(contact(), revision="2")) == 1, "it may have been cleared: it is decided on again"
    assert stored(contact(values={EMAIL: "a@b.test"})) == 1
    assert stored(contact(values={EMAIL: "a@b.test"}, blocked={Field.PHONE: "opted_out"})) == 1
    assert (
        stored(
            replace(contact(values={EMAIL: "a@b.test"}, blocked={PHONE: "opted_out"}), identity=Identity(company="A"))
        )
        == 1
    )
    assert house.sql("SELECT DISTINCT state FROM job") == [(JobState.DONE,)], "nothing is left to be asked"
