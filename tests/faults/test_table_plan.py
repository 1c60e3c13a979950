"""The fault table, F1 to F4: finding out who lacks what, and deciding whom to ask."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from dataclasses import replace
from typing import Any

import pytest

from syncd.contract.errors import Retry
from syncd.contract.model import Field, Page, Selection, Submission
from syncd.contract.pacing import Pacer
from syncd.ledger import candidates, submissions
from syncd.ledger.submissions import Stale
from syncd.pipeline import plan, pull
from syncd.pipeline.choose import Turn, choose
from syncd.pipeline.parts import Lane
from tests.connectors.hubspot_play import pages, using
from tests.connectors.scripted_crm import ScriptedCrm, contact
from tests.contract.fake_crm import FakeCrm
from tests.unit.harness import EMAIL, ONE_BY_ONE, PHONE, Harness

from .conftest import Build


def test_f01_crash_during_pull(build: Build) -> None:
    """I4, I12: page and cursor are one transaction; going on repeats nothing, pulling anew adds nothing."""
    harness = build(crm=_DiesAfterOnePage("crm", page=2))
    for name in ("Ada", "Bo", "Cy"):
        harness.person(name)
    with pytest.raises(_PowerCut):
        harness.pull()
    harness.reopen()
    assert harness.pull() == 1
    harness.plan()
    before = harness.sql("SELECT * FROM job")
    harness.run(
        harness.ledger.write(lambda tx: tx._connection.execute("UPDATE selection SET swept_at = NULL").rowcount)
    )
    assert harness.pull() == 3
    assert harness.plan() == 0
    assert harness.sql("SELECT * FROM job") == before


class _PowerCut(Exception):
    """Nothing that the stage could know of."""


class _DiesAfterOnePage(FakeCrm):
    """The first pull stores a page, and ends without a word."""

    died = False

    async def pull(self, selection: Selection, cursor: Mapping[str, Any] | None) -> AsyncIterator[Page]:
        async for page in super().pull(selection, cursor):
            yield page
            if not self.died:
                self.died = True
                raise _PowerCut


def test_f02_the_search_index_lags() -> None:
    """I3: what the search nominates is read from the primary store; whoever lacks nothing there is left alone."""
    with ScriptedCrm(contact("1", email="ada@example.com", phone="+442079460123"), contact("2")) as crm:
        [page] = using(crm, pages)
    assert [one.ref.id for one in page.contacts] == ["2"]
    assert page.stale == 1


def test_f03_suppressed_between_plan_and_send(harness: Harness) -> None:
    """I10: the intent's own transaction looks again; nothing is asked about, nothing is reserved."""
    ada = harness.person("Ada")
    harness.pull()
    harness.plan()
    found = harness.run(harness.ledger.read(candidates.candidates, "people", "ann", [1]))
    turn = Turn(name="ann", provider=harness.fake, fields={EMAIL: harness.sync.fields[EMAIL]})
    choice = choose(found, turn, lambda: "one")
    harness.crm.records[ada].blocked = {EMAIL: "opted_out", PHONE: "opted_out"}
    harness.crm._touch(harness.crm.records[ada])
    harness.pull()
    [item] = choice.ask
    submission = Submission(id="s", requests=(item.request,), callback_url="")
    with pytest.raises(Stale):
        harness.run(
            harness.ledger.write(
                submissions.intend, submission, [item], provider="ann", sync="people", now=1.0, deadline=9.0,
                reserve={EMAIL: ONE_BY_ONE.price[EMAIL]}, limits=[],
            )
        )  # fmt: skip
    assert harness.dispatch() == 0
    assert harness.job(ada) == ("done", "suppressed")
    assert harness.credits() == {"reserved": 0, "charged": 0, "in_doubt": 0}


def test_f04_the_same_person_in_two_crms(build: Build) -> None:
    """I2: one purchase; the second contact waits for the first one's answer and takes it."""
    harness = build(fields={EMAIL: ["ann"]})
    other = FakeCrm("crm2")
    second = replace(harness.sync, name="others", crm="crm2")
    harness.parts = replace(
        harness.parts,
        settings=replace(harness.settings, syncs=(harness.sync, second)),
        crms={"crm": harness.crm, "crm2": other},
        lanes={"ann": Lane(provider=harness.fake, pacer=Pacer((), harness.clock))},
    )
    ada = harness.person("Ada")
    other.records[other.add(harness.crm.records[ada].identity)].id = "901"
    other.records["901"] = other.records.pop("501")
    harness.finds(ada, EMAIL, "ada@acme.example.com")
    harness.pull()
    harness.run(pull.run_once(harness.parts, second))
    harness.run(plan.run_once(harness.parts))
    assert harness.dispatch() == 1
    assert harness.sql("SELECT state, count(*) FROM job GROUP BY 1") == [("sent", 1), ("waiting", 1)]
    harness.answer_all()
    harness.verify()
    assert harness.dispatch() == 0
    harness.verify()
    assert harness.sql("SELECT state, value FROM job") == [("accepted", "ada@acme.example.com")] * 2
    assert len(harness.fake.submitted) == 1


def test_f04_twice_in_one_crm(harness: Harness) -> None:
    """I2: the same profile twice is asked about once, in whatever order the two are chosen."""
    for _ in range(2):
        harness.person("Ada")
    assert harness.ask() == 2, "an e-mail and a phone, each once"
    assert {one.requests[0].fields for one in harness.fake.submitted} == {(Field.EMAIL,), (Field.PHONE,)}


def test_f01_a_pull_that_breaks_off(harness: Harness) -> None:
    """I4: what came stays, and the next pull goes on."""
    harness.person("Ada")
    harness.crm.fail("pull", Retry("the connection was cut"))
    with pytest.raises(Retry):
        harness.pull()
    assert harness.pull() == 1
