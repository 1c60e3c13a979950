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
from .harness import EMAIL, PHONE, Harness
from .test_ledger_store import Held


def contact(ext_id: str = "1", **known: Any) -> Contact:
    return Contact(
        ref=ContactRef(connection="crm", object="contacts", id=ext_id), revision="1", identity=Identity(), **known
    )


# --- pull -------------------------------------------------------------------------------------


def test_everybody_comes_page_by_page_and_a_second_pull_brings_only_news(build: Build) -> None:
    harness = build(crm=FakeCrm("crm", page=2))
    people = [harness.person(name) for name in ("Ada", "Bo", "Cy", "Di", "Ed")]
    assert harness.pull() == 5
    assert {row[0] for row in harness.sql("SELECT ext_id FROM contact")} == set(people)
    harness.person("Fi")
    assert harness.pull() <= 2, "the new one, and at most some overlap"
    assert harness.sql("SELECT count(*) FROM contact") == [(6,)]


def test_a_crash_between_pages_goes_on_from_the_stored_page(build: Build) -> None:
    harness = build(crm=FakeCrm("crm", page=2))
    for name in ("Ada", "Bo", "Cy"):
        harness.person(name)

    async def first_page_only() -> None:
        async for page in harness.crm.pull(harness.sync.selection, None):
            await harness.ledger.write(store, harness.sync, page, [EMAIL, PHONE], now=0.0)
            return

    harness.run(first_page_only())
    harness.reopen()
    assert harness.pull() == 1, "the third, not the first two again"
    assert harness.sql("SELECT count(*) FROM contact") == [(3,)]


def test_a_repeated_page_changes_nothing(harness: Harness) -> None:
    harness.person("Ada")
    harness.pull()
    harness.plan()

    def forget_cursor(tx: Tx) -> None:
        tx._connection.execute("UPDATE selection SET cursor = NULL")

    harness.run(harness.ledger.write(forget_cursor))
    before = harness.sql("SELECT id, ext_id, lacks, planned FROM contact"), harness.sql("SELECT * FROM job")
    assert harness.pull() == 1
    assert harness.plan() == 0
    assert (harness.sql("SELECT id, ext_id, lacks, planned FROM contact"), harness.sql("SELECT * FROM job")) == before


@pytest.mark.parametrize("error", [Retry("busy"), Halt("no key", trouble=Trouble.CREDENTIALS, cure="give one")])
def test_a_pull_that_fails_is_noted_and_what_came_stays(harness: Harness, error: Retry | Halt) -> None:
    harness.person("Ada")
    harness.crm.fail("pull", error)
    with pytest.raises(type(error)):
        harness.pull()
    assert harness.sql("SELECT error, ended_at IS NULL FROM run") == [(str(error), 0)]
    halted = harness.run(harness.ledger.read(connections.trouble, "crm"))
    assert halted == (Trouble.CREDENTIALS if isinstance(error, Halt) else None)
    assert harness.pull() == 1


def test_the_identity_is_tidy_in_the_ledger(harness: Harness) -> None:
    harness.crm.add(
        Identity(first_name="  Grégoire\u00a0", last_name="Démogé 🚀", domain="https://www.ACME.example.com/x")
    )
    harness.pull()
    assert harness.sql("SELECT identity FROM contact") == [('{"d":"acme.example.com","fn":"Grégoire","ln":"Démogé"}',)]


# --- plan: the jobs ---------------------------------------------------------------------------


def test_a_job_that_exists_is_left_alone(harness: Harness) -> None:
    ada = harness.person("Ada")
    harness.ask()
    harness.crm.edit(ada, "work_phone", "1")
    harness.crm.records[ada].identity = replace(harness.crm.records[ada].identity, company="Another")
    harness.pull()
    assert harness.plan() == 0
    assert harness.state(ada) == "sent"


def test_more_than_a_page_of_contacts_is_planned(harness: Harness) -> None:
    for n in range(501):
        harness.crm.add(Identity(first_name=f"N{n}", last_name="Test", domain="acme.example.com"))
    harness.pull()
    assert harness.plan() == 1002
    assert harness.sql("SELECT count(*) FROM contact WHERE planned = 0") == [(0,)]


def test_who_is_unblocked_later_is_asked_about_then(harness: Harness) -> None:
    ada = harness.person("Ada")
    harness.crm.records[ada].blocked = {EMAIL: "opted_out"}
    harness.ask()
    assert harness.job(ada) == ("done", "suppressed")
    harness.crm.records[ada].blocked = {}
    harness.crm.edit(ada, "work_phone", "1")
    harness.ask()
    assert harness.state(ada) == "sent"


def test_who_was_bought_before_the_block_is_not_bought_again_after_it(harness: Harness) -> None:
    ada = harness.person("Ada")
    harness.finds(ada, EMAIL, "ada@acme.example.com")
    harness.ask()
    harness.answer_all()
    harness.crm.records[ada].blocked = {EMAIL: "opted_out"}
    harness.finish()
    assert harness.job(ada) == ("done", "suppressed")
    calls = len(harness.fake.submitted)
    harness.pull()
    harness.plan()
    harness.crm.records[ada].blocked = {}
    harness.crm.edit(ada, "work_phone", "1")
    harness.ask()
    assert len(harness.fake.submitted) == calls
    harness.finish()
    assert (harness.job(ada), harness.held(ada)) == (("done", "written"), "ada@acme.example.com")


def test_who_could_not_be_asked_about_is_tried_again_when_more_is_known(harness: Harness) -> None:
    nobody = harness.crm.add(Identity(first_name="Ada"))
    harness.ask()
    harness.verify()
    assert harness.job(nobody) == ("done", "rejected_input")
    harness.crm.records[nobody].identity = Identity(first_name="Ada", last_name="Test", domain="acme.example.com")
    harness.crm.edit(nobody, "work_phone", "1")
    harness.finds(nobody, EMAIL, "ada@acme.example.com")
    harness.ask()
    harness.answer_all()
    harness.finish()
    assert harness.job(nobody) == ("done", "written")


def test_news_that_come_while_a_plan_is_made_are_planned_too(harness: Harness) -> None:
    """A pull stores a newer page after the plan has looked and before it decides."""
    ada = harness.person("Ada", phone="1")
    harness.pull()

    async def race() -> None:
        held = Held()
        first = asyncio.create_task(harness.ledger.write(held))
        await asyncio.to_thread(held.inside.wait, 30)
        harness.crm.edit(ada, "phone", "")
        harness.crm.records[ada].blocked = {EMAIL: "opted_out"}
        page = await anext(aiter(harness.crm.pull(harness.sync.selection, None)))
        news = harness.ledger.write(store, harness.sync, page, [EMAIL, PHONE], now=0.0)
        storing = asyncio.create_task(news)
        await asyncio.sleep(0)
        planning = asyncio.create_task(run_once(harness.parts))
        await harness.ledger.read(cases.changed, 1, now=0.0)
        held.go.set()
        await asyncio.gather(first, storing, planning)

    harness.run(race())
    harness.plan()
    assert (harness.job(ada), harness.reason(ada, PHONE)) == (("done", "suppressed"), "suppressed")


def test_a_contact_that_changed_in_what_matters_is_planned_again_and_else_not(harness: Harness) -> None:
    def hold(tx: Tx, one: Contact) -> int:
        store(tx, harness.sync, Page(contacts=(one,), cursor={}), [EMAIL, PHONE], now=0.0)
        return len(cases.changed(tx, 10, now=0.0))

    def stored(one: Contact) -> int:
        count = harness.run(harness.ledger.write(hold, one))
        harness.plan()
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
    assert harness.sql("SELECT DISTINCT state FROM job") == [(JobState.DONE,)], "nothing is left to be asked"
