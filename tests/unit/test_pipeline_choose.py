"""Whom to ask: what another record of the person was told is taken once, and not handed to and fro."""

from dataclasses import replace

import pytest

from syncd.config import FieldPolicy, OnDoubt
from syncd.config.sections import PartialAges
from syncd.contract.model import Author, ContactRef, EnrichmentResult, Field, Grade, Identity, Outcome
from syncd.contract.model import Candidate as Value
from syncd.ledger.candidates import Candidate, Relative
from syncd.ledger.results import Heard
from syncd.ledger.states import JobState
from syncd.pipeline.choose import Turn, choose
from syncd.policy.values import NO_CHECKS, Checks
from tests.contract.fake_crm import FakeCrm
from tests.contract.fake_provider import FakeProvider

from .conftest import Build
from .harness import DAY, EMAIL, ONE_BY_ONE, PHONE, Harness

ADA = Identity(first_name="Ada", last_name="Stone", company="Acme", domain="acme.example")
MAIL = Value(value="ada.stone@acme.example", grade=Grade.VALID)
FOUND = EnrichmentResult(request_id="", field=Field.EMAIL, outcome=Outcome.FOUND, candidates=(MAIL,), said=(ADA,))
POLICY = FieldPolicy(property="email", also=(), providers=("ann", "zoe"), accept=frozenset({Grade.VALID}))


@pytest.mark.parametrize(
    ("finds", "asked"), [(("x",), 0), (("x", "y"), 1)], ids=["it is new", "the job has it already"]
)
def test_a_find_of_another_record_is_taken_once(finds: tuple[str, ...], asked: int) -> None:
    turn = Turn(name="zoe", provider=FakeProvider("zoe"), fields={Field.EMAIL: POLICY})
    choice = choose([of_a_relative(FOUND, finds)], turn, lambda: "id")
    assert (len(choice.ask), len(choice.aside)) == (asked, 1 - asked)


def of_a_relative(result: EnrichmentResult, finds: tuple[str, ...] = ()) -> Candidate:
    """Zoe's turn for a contact; Ann has said this of another record of the person."""
    heard = Heard(id=7, provider="ann", result=result, call="y", way="all", told=ADA)
    relative = Relative(job_id=2, state=JobState.DONE, provider="ann", namesake=False, heard=(heard,))
    return Candidate(
        job_id=1, field=Field.EMAIL, round=0, since=0.0, ref=ContactRef(connection="crm", object="contacts", id="501"),
        identity=ADA, person="1", names=frozenset(), lacking=True, blocked=None, email_job=None, ways=frozenset(),
        finds=frozenset(finds), again=None, relatives=(relative,),
    )  # fmt: skip


@pytest.mark.parametrize(("checks", "asked"), [(NO_CHECKS, 0), (Checks(employer=True), 1)])
def test_a_find_that_the_sync_s_checks_lower_is_no_answer_for_another_record(checks: Checks, asked: int) -> None:
    elsewhere = replace(FOUND, candidates=(replace(MAIL, value="ada.stone@other.example.org"),))
    turn = Turn(name="zoe", provider=FakeProvider("zoe"), fields={Field.EMAIL: POLICY}, checks=checks)
    assert len(choose([of_a_relative(elsewhere)], turn, lambda: "id").ask) == asked


def test_two_records_do_not_hand_a_doubtful_find_to_and_fro_for_ever(build: Build) -> None:
    """The find names a third record's profile, so that it is doubtful for both, although names and employer agree."""
    fakes = [FakeProvider(name, capabilities=ONE_BY_ONE) for name in ("ann", "zoe")]
    harness = build(providers=fakes, second=FakeCrm("crm2", first=901), fields={EMAIL: ["ann", "zoe"]})
    syncs = tuple(replace(sync, on_doubt=OnDoubt.NEXT) for sync in harness.settings.syncs)
    harness.reopen(replace(harness.settings, syncs=syncs))
    profile = "https://www.linkedin.com/in/ada-stone"
    harness.crm.add(Identity(first_name="Ada", last_name="Stone", linkedin_url=profile))
    both = harness.crm.add(ADA), harness.crms["crm2"].add(ADA)
    for contact in both:
        harness.finds(contact, EMAIL, MAIL.value, by="ann")
        harness.fake.says[contact, EMAIL] = (replace(ADA, linkedin_url=profile),)
    for _ in range(8):
        harness.ask()
        harness.answer_all("ann")
        harness.answer_all("zoe")
        harness.verify()
    assert [harness.state(contact) for contact in both] == ["review", "review"], (
        "everybody was asked: it waits for a person"
    )
    moves = harness.sql("SELECT count(*) FROM event WHERE target = 'answered' GROUP BY job_id ORDER BY job_id")
    assert moves == [(2,)] * 3, "each job hears each provider once"


def test_a_find_that_was_cleared_in_the_crm_is_not_taken_again_from_another_record(build: Build) -> None:
    """Zoe's miss grows old, so that she is asked once more; what Ann found is known already."""
    fakes = [FakeProvider(name, capabilities=ONE_BY_ONE) for name in ("zoe", "ann")]
    harness = build(providers=fakes, second=FakeCrm("crm2", first=901), fields={EMAIL: ["zoe", "ann"]})
    syncs = [
        replace(sync, fields={EMAIL: replace(sync.fields[EMAIL], refill=True)}, retry_not_found=5 * DAY)
        for sync in harness.settings.syncs
    ]
    harness.reopen(replace(harness.settings, syncs=tuple(syncs)))
    first, _ = harness.crm.add(ADA), harness.crms["crm2"].add(ADA)
    harness.finds(first, EMAIL, MAIL.value, by="ann")
    _until_nothing_moves(harness)
    assert harness.held(first) == MAIL.value
    harness.clock.time += 60
    harness.crm.edit(first, "email", "", by=Author.MACHINE)
    _until_nothing_moves(harness)
    harness.clock.time += 6 * DAY
    asked = len(fakes[0].submitted)
    _until_nothing_moves(harness)
    assert len(fakes[0].submitted) == asked + 1
    assert harness.held(first) == "", "never the same value again"
    answered = "SELECT count(*) FROM event JOIN job ON job.id = job_id JOIN contact ON contact.id = contact_id"
    where = "WHERE target = 'answered' AND ext_id = ?"
    assert harness.sql(f"{answered} {where}", first) < [(12,)]


def test_a_miss_counts_for_as_long_as_its_own_field_says(build: Build) -> None:
    """The e-mail's misses grow old sooner than the phone's, at one provider."""
    fake = FakeProvider("zoe", capabilities=ONE_BY_ONE)
    harness = build(providers=[fake, FakeProvider("ann")], fields={EMAIL: ["zoe"], PHONE: ["zoe"]})
    email = replace(harness.sync.fields[EMAIL], ages={"": PartialAges.model_validate({"not_found": "5d"})})
    sync = replace(harness.sync, fields={**harness.sync.fields, EMAIL: email}, retry_not_found=90 * DAY)
    harness.reopen(replace(harness.settings, syncs=(sync,)))
    harness.crm.add(ADA)
    _until_nothing_moves(harness)
    assert len(fake.submitted) == 2
    harness.clock.time += 6 * DAY
    _until_nothing_moves(harness)
    assert [call.requests[0].fields for call in fake.submitted[2:]] == [(EMAIL,)]


def test_what_waits_for_a_field_that_is_configured_no_more_is_put_aside(build: Build) -> None:
    harness = build(providers=[FakeProvider("zoe", capabilities=ONE_BY_ONE)], fields={EMAIL: ["zoe"], PHONE: ["zoe"]})
    ada = harness.crm.add(ADA)
    harness.pull()
    harness.plan()
    sync = replace(harness.sync, fields={EMAIL: harness.sync.fields[EMAIL]})
    harness.parts = replace(harness.parts, settings=replace(harness.settings, syncs=(sync,)))
    harness.clock.time += 60
    harness.dispatch()
    assert (harness.state(ada), harness.state(ada, PHONE)) == ("sent", "answered")


def _until_nothing_moves(harness: Harness) -> None:
    for _ in range(8):
        harness.ask()
        harness.answer_all("zoe")
        harness.answer_all("ann")
        harness.finish()
