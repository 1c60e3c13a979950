"""Values that we wrote long ago and that still stand are verified again: as the last in the queue, within a budget of
their own, and never overwritten for it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from syncd.config import FieldPolicy, Settings, WritePolicy
from syncd.config.sections import NamedBudget
from syncd.contract.model import Field, Grade, Identity
from syncd.pipeline import preview, refresh
from tests.contract.fake_provider import FakeProvider

from .harness import DAY, EMAIL, ONE_BY_ONE, Harness

YEAR = 365 * DAY
MAIL, OTHER = "ada@acme.example.com", "ada.other@acme.example.com"
Built = Callable[..., tuple[Harness, str]]


@pytest.fixture
def written(tmp_path: Path) -> Any:
    """A harness in which we have written an e-mail; values are verified again after a year."""
    made: list[Harness] = []

    def build(*, providers: int = 1, **policy: Any) -> tuple[Harness, str]:
        fakes = [FakeProvider(name, capabilities=ONE_BY_ONE) for name in ("ann", "bob")[:providers]]
        harness = Harness(tmp_path, providers=fakes, fields={EMAIL: [fake.name for fake in fakes]})
        made.append(harness)
        configure(harness, **policy)
        ada = harness.person()
        harness.finds(ada, EMAIL, MAIL, by="ann")
        harness.ask()
        harness.answer_all("ann")
        harness.finish()
        assert (harness.held(ada), harness.reason(ada)) == (MAIL, "written")
        return harness, ada

    yield build
    for one in made:
        one.close()


def configure(harness: Harness, budgets: tuple[NamedBudget, ...] = (), **policy: Any) -> None:
    fields: Mapping[Field, FieldPolicy] = {
        field: replace(one, **{"refresh": YEAR, **policy}) for field, one in harness.sync.fields.items()
    }
    settings: Settings = replace(harness.settings, syncs=(replace(harness.sync, fields=fields),), budgets=budgets)
    harness.reopen(settings)
    harness.recover()


def a_year_later(harness: Harness, *, after: float = 1.01 * YEAR) -> int:
    """What is due is asked about; returns how many calls were made."""
    harness.clock.time += after
    for _ in range(3):  # a portion, the end of the round
        harness.run(refresh.run_once(harness.parts))
    before = sum(len(fake.submitted) for fake in harness.fakes.values())
    for _ in range(3):
        harness.pull()
        harness.plan()
        for name in harness.fakes:
            harness.dispatch(name)
    return sum(len(fake.submitted) for fake in harness.fakes.values()) - before


def finish(harness: Harness) -> None:
    for name in harness.fakes:
        harness.answer_all(name)
    harness.finish()


def note(harness: Harness, contact: str) -> tuple[str, str]:
    return harness.reason(contact), harness.note(contact)


def test_the_same_value_is_good_for_another_year(written: Built) -> None:
    harness, ada = written()
    assert a_year_later(harness) == 1
    assert harness.state(ada) == "sent"
    assert harness.sql("SELECT sum(charged_mc + reserved_mc) > 0 FROM spend WHERE refresh <> 0") == [(1,)]
    finish(harness)
    assert note(harness, ada) == ("written", "verified again: valid by ann")
    assert harness.held(ada) == MAIL
    assert harness.sql("SELECT count(*) FROM write") == [(1,)], "nothing was written for it"
    assert harness.sql("SELECT priority FROM job") == [(0,)]
    assert a_year_later(harness, after=0.5 * YEAR) == 0
    assert a_year_later(harness, after=0.6 * YEAR) == 1


def test_the_crm_is_told_that_it_was_verified_again(written: Built) -> None:
    """The date and the grade beside the value are renewed, once, by an update that changes no value."""
    harness, ada = written(accept=frozenset({Grade.VALID, Grade.PROBABLE}))
    harness.crm.made = {"at", "grade", "from"}
    told = {"at": "at", "status": "grade", "source": "from"}
    harness.reopen(replace(harness.settings, syncs=(replace(harness.sync, provenance=told),)))
    harness.finds(ada, EMAIL, MAIL, grade=Grade.PROBABLE, by="ann")
    a_year_later(harness)
    assert harness.held(ada, "at") == "", "nothing is told before it was answered"
    finish(harness)
    answered = datetime.fromtimestamp(harness.sql("SELECT max(at) FROM result")[0][0], UTC)
    assert harness.held(ada, "at") == answered.strftime("%Y-%m-%dT%H:%M:%SZ")
    assert (harness.held(ada, "grade"), harness.held(ada, "from")) == ("email: probable", "email: ann")
    assert harness.held(ada) == MAIL
    writes = harness.crm.calls.count("write")
    finish(harness)
    assert harness.crm.calls.count("write") == writes


def test_another_value_renews_nothing(written: Built) -> None:
    harness, ada = written()
    harness.crm.made = {"at"}
    harness.reopen(replace(harness.settings, syncs=(replace(harness.sync, provenance={"at": "at"}),)))
    harness.finds(ada, EMAIL, OTHER, by="ann")
    a_year_later(harness)
    finish(harness)
    assert harness.held(ada, "at") == ""
    assert harness.crm.calls.count("write") == 1


def test_off_by_default_nothing_is_asked_again(written: Built) -> None:
    harness, ada = written(refresh=None)
    assert a_year_later(harness, after=3 * YEAR) == 0
    assert harness.reason(ada) == "written"


def test_another_value_is_told_and_not_written(written: Built) -> None:
    harness, ada = written()
    harness.finds(ada, EMAIL, OTHER, by="ann")
    a_year_later(harness)
    finish(harness)
    assert note(harness, ada) == ("outdated", "ann knows another value, which `syncd show` tells")
    assert harness.held(ada) == MAIL
    harness.clock.time += DAY
    harness.ask()
    assert harness.reason(ada) == "outdated"
    assert len(harness.fake.submitted) == 2


def test_another_value_replaces_ours_where_the_policy_says_so(written: Built) -> None:
    harness, ada = written(writes=WritePolicy.OVERWRITE_OWN)
    harness.finds(ada, EMAIL, OTHER, by="ann")
    a_year_later(harness)
    finish(harness)
    assert (harness.held(ada), harness.reason(ada)) == (OTHER, "written")


def accepted_another(written: Built) -> tuple[Harness, str]:
    """Another value was found by ann and is to replace ours; it is not written yet."""
    harness, ada = written(providers=2, writes=WritePolicy.OVERWRITE_OWN)
    harness.finds(ada, EMAIL, OTHER, by="ann")
    a_year_later(harness)
    harness.answer_all("ann")
    harness.inbox()
    harness.verify()
    assert (harness.state(ada), harness.sql("SELECT value FROM job")) == ("accepted", [(OTHER,)])
    return harness, ada


def test_what_was_not_written_after_all_is_not_called_ours(written: Built) -> None:
    """It must not overwrite any more; the job says what stands."""
    harness, ada = accepted_another(written)
    configure(harness, writes=WritePolicy.FILL_BLANK)
    harness.plan()
    assert (harness.reason(ada), harness.held(ada)) == ("outdated", MAIL)
    assert harness.sql("SELECT value FROM job") == [(MAIL,)]


def test_what_was_not_written_after_all_does_not_keep_ours_from_being_verified(written: Built) -> None:
    """Nobody believes who found it any more, and for the next provider it was too late: ours is due another day."""
    harness, ada = accepted_another(written)
    configure(harness, writes=WritePolicy.OVERWRITE_OWN, providers=("bob",))
    harness.clock.time += 1000
    harness.plan()
    assert harness.dispatch("bob") == 0
    assert harness.note(ada).startswith("not verified again for now")
    assert harness.sql("SELECT reason, value FROM job") == [("written", MAIL)]
    harness.finds(ada, EMAIL, MAIL, by="bob")
    assert a_year_later(harness) == 1
    finish(harness)
    assert note(harness, ada) == ("written", "verified again: valid by bob")


def test_a_job_change_is_told(written: Built) -> None:
    harness, ada = written()
    says = Identity(first_name="Ada", last_name="Test", company="Elsewhere", domain="elsewhere.example.com")
    harness.fake.says[ada, EMAIL] = (says,)
    a_year_later(harness)
    finish(harness)
    reason, why = note(harness, ada)
    assert reason == "outdated"
    assert why.startswith("they may have changed jobs: ")
    assert harness.held(ada) == MAIL


def test_nobody_knows_them_any_more_after_the_whole_waterfall(written: Built) -> None:
    harness, ada = written(providers=2)
    harness.fakes["ann"].finds.clear()
    assert a_year_later(harness) == 1
    finish(harness)
    harness.plan()
    assert harness.dispatch("bob") == 1
    finish(harness)
    assert note(harness, ada) == ("written", "nobody could verify it again: not found")
    assert a_year_later(harness, after=0.9 * YEAR) == 0


@pytest.mark.parametrize("what", ["edited", "cleared", "deleted"])
def test_what_does_not_stand_any_more_is_not_asked_about(written: Built, what: str) -> None:
    harness, ada = written()
    if what == "deleted":
        harness.crm.records.pop(ada)
    else:
        harness.crm.edit(ada, "email", OTHER if what == "edited" else "")
    assert a_year_later(harness) == 0


def test_what_waited_for_long_is_looked_at_again_before_it_is_asked_about(written: Built) -> None:
    """Somebody may have changed it meanwhile, which only a look at its own property can tell."""
    harness, ada = written()
    harness.clock.time += 1.01 * YEAR
    assert harness.run(refresh.run_once(harness.parts)) == 1
    harness.run(refresh.run_once(harness.parts))  # the round is over
    harness.clock.time += 1000
    harness.dispatch()
    assert len(harness.fake.submitted) == 1
    assert harness.reason(ada) == "written"
    assert harness.note(ada).startswith("not verified again for now")
    assert a_year_later(harness, after=DAY) == 1


def test_the_next_provider_is_not_asked_about_what_was_looked_at_long_ago(written: Built) -> None:
    harness, ada = written(providers=2)
    harness.fakes["ann"].finds.clear()
    assert a_year_later(harness) == 1
    harness.clock.time += 1000
    harness.crm.edit(ada, "email", OTHER)
    finish(harness)
    harness.plan()
    assert harness.dispatch("bob") == 0, "a person's value is no business of his"
    assert note(harness, ada)[1].startswith("not verified again for now")
    assert a_year_later(harness, after=DAY) == 0, "another year, not another day: the first one has answered"


def test_who_left_while_it_waited_is_not_asked_about(written: Built) -> None:
    harness, ada = written()
    harness.clock.time += 1.01 * YEAR
    assert harness.run(refresh.run_once(harness.parts)) == 1
    assert harness.state(ada) == "queued"
    harness.crm.records.pop(ada)
    harness.clock.time += DAY
    harness.dispatch()
    harness.dispatch()
    assert len(harness.fake.submitted) == 1


def test_it_is_the_last_in_the_queue_and_has_a_budget_of_its_own(written: Built) -> None:
    own = NamedBudget(name="again", refresh=True, per_day=Decimal(0))
    harness, ada = written()
    configure(harness, (own,))
    harness.person("Bea")
    assert a_year_later(harness) == 1, "of Bea, who is new"
    assert harness.state(ada) == "queued"
    assert harness.over_budget() == {"again": "day"}
    configure(harness, (own.model_copy(update={"per_day": Decimal(50)}),))
    harness.clock.time += 60
    assert harness.dispatch() + harness.dispatch() == 1
    assert harness.state(ada) == "sent"


def test_other_budgets_count_it_too(written: Built) -> None:
    harness, ada = written()
    configure(harness, (NamedBudget(name="all", per_day=Decimal(0)),))
    assert a_year_later(harness) == 0
    assert harness.state(ada) == "queued"


def test_a_plan_counts_what_is_verified_again(written: Built) -> None:
    harness, _ = written()
    harness.clock.time += 1.01 * YEAR
    harness.run(preview.preview(harness.parts))
    [(state, provider, told)] = harness.sql("SELECT state, provider, note FROM job")
    assert (state, provider, told) == ("queued", "ann", "what syncd wrote is verified again")


def test_the_person_in_two_crms_is_asked_about_once(tmp_path: Path) -> None:
    from tests.contract.fake_crm import FakeCrm  # noqa: PLC0415

    with Harness(tmp_path, second=FakeCrm("second", first=900), fields={EMAIL: ["ann"]}) as harness:
        ada = harness.person()
        twin = harness.crms["second"].add(harness.crm.records[ada].identity)
        for one in (ada, twin):
            harness.finds(one, EMAIL, MAIL)
        fields = {field: replace(one, refresh=YEAR) for field, one in harness.sync.fields.items()}
        harness.reopen(
            replace(harness.settings, syncs=tuple(replace(s, fields=fields) for s in harness.settings.syncs))
        )
        harness.recover()
        for _ in range(2):
            harness.ask()
            harness.answer_all()
            harness.finish()
        assert len(harness.fake.submitted) == 1
        assert a_year_later(harness) == 1
        finish(harness)
        assert a_year_later(harness, after=2 * DAY) == 0
        finish(harness)
        assert {harness.note(one) for one in (ada, twin)} == {"verified again: valid by ann"}
        assert len(harness.fake.submitted) == 2
