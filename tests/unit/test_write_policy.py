"""What each write policy may replace: our own value, a better one, never a person's."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from syncd.config import WritePolicy
from syncd.contract.model import Author, Grade
from syncd.ledger import reports, reviews
from tests.contract.fake_crm import FakeCrm
from tests.contract.fake_provider import FakeProvider

from .conftest import Build
from .harness import EMAIL, ONE_BY_ONE, PHONE, Harness

OLD, NEW, THEIRS = "ada@acme.example.com", "ada.test@acme.example.com", "typed@acme.example.com"
LOOSE = frozenset({Grade.VALID, Grade.CATCH_ALL})
FILL, OWN, OVERWRITE, BETTER = WritePolicy
KEPT = ("done", "human_value_kept")
Act = Callable[[Harness, str], object]


def allow(harness: Harness, policy: WritePolicy, *, approve: int | None = None) -> None:
    """A restart with another write policy."""
    sync = harness.sync
    email = replace(sync.fields[EMAIL], writes=policy)
    changed = replace(sync, fields={EMAIL: email}, approve=approve)
    harness.reopen(replace(harness.settings, syncs=(changed,)))
    harness.recover()


def written(
    build: Build, policy: WritePolicy, *, history: bool = True, ours: Grade = Grade.CATCH_ALL
) -> tuple[Harness, str]:
    """A harness in which ann did not answer in time, and ben's find was written; ann's answer is still to come."""
    crm = FakeCrm("crm", conditional=not history, history=history)
    fakes = [FakeProvider(name, capabilities=ONE_BY_ONE) for name in ("ann", "ben")]
    harness = build(crm=crm, providers=fakes, fields={EMAIL: ["ann", "ben"]}, accept=LOOSE)
    allow(harness, policy)
    ada = harness.person()
    harness.finds(ada, EMAIL, OLD, grade=ours, by="ben")
    harness.ask_the_next("ben")
    assert (harness.job(ada), harness.held(ada)) == (("done", "written"), OLD)
    return harness, ada


def late(harness: Harness, ada: str, *, grade: Grade = Grade.VALID) -> None:
    """Ann answers after all."""
    harness.finds(ada, EMAIL, NEW, grade=grade, by="ann")
    harness.answer_all("ann")
    harness.plan()
    harness.finish()
    harness.finish()


@pytest.mark.parametrize("history", [True, False])
@pytest.mark.parametrize(
    ("policy", "grade", "stands"),
    [
        (FILL, Grade.VALID, OLD),
        (OWN, Grade.CATCH_ALL, NEW),
        (OVERWRITE, Grade.CATCH_ALL, NEW),
        (BETTER, Grade.VALID, NEW),
        (BETTER, Grade.CATCH_ALL, OLD),
    ],
)
def test_a_newer_find_replaces_our_own_value_where_the_policy_says_so(
    build: Build, policy: WritePolicy, grade: Grade, stands: str, history: bool
) -> None:
    harness, ada = written(build, policy, history=history)
    late(harness, ada, grade=grade)
    assert (harness.held(ada), harness.job(ada)) == (stands, ("done", "written"))
    journey = harness.run(harness.ledger.read(reports.journey, harness.ref(ada)))
    assert journey is not None
    told = [(one["before"], one["after"], one["policy"]) for one in journey["jobs"][0]["writes"]]
    assert told == [("", OLD, policy), (OLD, NEW, policy)][: 2 if stands == NEW else 1]
    late(harness, ada, grade=grade)
    assert harness.held(ada) == stands, "the same answer once more"


def types(harness: Harness, ada: str) -> None:
    harness.crm.edit(ada, "email", THEIRS)


def confirms(harness: Harness, ada: str) -> None:
    harness.crm.edit(ada, "email", OLD)


def imports(harness: Harness, ada: str) -> None:
    harness.crm.edit(ada, "email", THEIRS, Author.MACHINE)


def clears(harness: Harness, ada: str) -> None:
    harness.crm.edit(ada, "email", "")


def blocks(harness: Harness, ada: str) -> None:
    harness.crm.block(ada, EMAIL, "opted_out")


@pytest.mark.parametrize("policy", [OWN, OVERWRITE, BETTER])
@pytest.mark.parametrize("act", [types, confirms, imports, clears, blocks])
@pytest.mark.parametrize("pulled", [True, False])
def test_what_others_did_since_stands(build: Build, policy: WritePolicy, act: Act, pulled: bool) -> None:
    harness, ada = written(build, policy)
    act(harness, ada)
    there = harness.held(ada)
    if pulled:  # else only the read before the write shows it
        harness.clock.time += 60
        harness.pull()
        harness.plan()
    late(harness, ada)
    better = policy is BETTER and act is imports  # no person has touched it
    assert harness.held(ada) == (NEW if better else there)


@pytest.mark.parametrize("policy", [OWN, OVERWRITE, BETTER])
@pytest.mark.parametrize("act", [types, clears])
def test_without_a_history_only_what_we_wrote_is_replaced(build: Build, policy: WritePolicy, act: Act) -> None:
    harness, ada = written(build, policy, history=False)
    act(harness, ada)
    there = harness.held(ada)
    late(harness, ada)
    assert harness.held(ada) == there


@pytest.mark.parametrize(("policy", "stands"), [(OVERWRITE, NEW), (OWN, OLD)])
def test_own_is_closed_where_others_have_ever_written(build: Build, policy: WritePolicy, stands: str) -> None:
    harness, ada = written(build, policy)
    history = harness.crm.records[ada].history["email"]
    history += [
        replace(history[0], value=text, at=f"{n:012d}") for n, text in ((1, ""), (0, "import@acme.example.com"))
    ]
    late(harness, ada)
    assert harness.held(ada) == stands


@pytest.mark.parametrize(
    ("policy", "by", "stands"),
    [
        (BETTER, Author.MACHINE, NEW),
        (BETTER, Author.PERSON, THEIRS),
        (OVERWRITE, Author.MACHINE, THEIRS),
        (OWN, Author.MACHINE, THEIRS),
        (FILL, Author.MACHINE, THEIRS),
    ],
)
def test_what_a_program_has_filled_meanwhile_gives_way_to_a_better_find_alone(
    build: Build, policy: WritePolicy, by: Author, stands: str
) -> None:
    harness = build(fields={EMAIL: ["ann"]})
    allow(harness, policy)
    ada = harness.person()
    harness.finds(ada, EMAIL, NEW)
    harness.ask()
    harness.answer_all()
    harness.crm.edit(ada, "email", THEIRS, by)
    harness.finish()
    assert harness.held(ada) == stands


def test_without_a_history_a_value_of_others_is_never_replaced(build: Build) -> None:
    harness = build(crm=FakeCrm("crm", conditional=True, history=False), fields={EMAIL: ["ann"]})
    allow(harness, BETTER)
    ada = harness.person()
    harness.finds(ada, EMAIL, NEW)
    harness.ask()
    harness.answer_all()
    harness.crm.edit(ada, "email", THEIRS, Author.MACHINE)
    harness.finish()
    assert (harness.held(ada), harness.job(ada)) == (THEIRS, KEPT)


@pytest.mark.parametrize("history", [True, False])
def test_a_colleague_who_edits_between_read_and_write_wins(build: Build, history: bool) -> None:
    harness, ada = written(build, OVERWRITE, history=history)
    harness.crm.between_read_and_write = lambda: types(harness, ada)
    late(harness, ada)
    assert (harness.held(ada), harness.job(ada)) == (THEIRS, KEPT)


@pytest.mark.parametrize("history", [True, False])
def test_a_replacement_whose_answer_was_lost_is_looked_at(build: Build, history: bool) -> None:
    harness, ada = written(build, OVERWRITE, history=history)
    harness.crm.lose_answers = 1
    late(harness, ada)
    for _ in range(2):
        harness.clock.time += 300
        harness.writeback()
    assert (harness.held(ada), harness.job(ada)) == (NEW, ("done", "written"))


def test_a_replacement_waits_for_a_person_and_shows_what_it_would_replace(build: Build) -> None:
    harness, ada = written(build, OVERWRITE)
    allow(harness, OVERWRITE, approve=0)
    late(harness, ada)
    (one,) = harness.run(harness.ledger.read(reviews.waiting))
    assert (one.old, one.value, one.replaces_typed, harness.held(ada)) == (OLD, NEW, False, OLD)
    harness.run(harness.ledger.write(reviews.decide, [one.id], reviews.ACCEPTED, "me", now=harness.clock.now()))
    harness.finish()
    assert harness.held(ada) == NEW


def test_a_refused_replacement_leaves_what_stands(build: Build) -> None:
    harness, ada = written(build, OVERWRITE)
    allow(harness, OVERWRITE, approve=0)
    late(harness, ada)
    (one,) = harness.run(harness.ledger.read(reviews.waiting))
    harness.run(harness.ledger.write(reviews.decide, [one.id], reviews.REFUSED, "me", now=harness.clock.now()))
    harness.finish()
    assert (harness.held(ada), harness.job(ada)) == (OLD, ("done", "written"))


def test_an_undo_puts_back_our_own_earlier_value_and_then_the_blank(build: Build) -> None:
    harness, ada = written(build, OVERWRITE)
    late(harness, ada)
    harness.undo(contact=harness.ref(ada))
    harness.undoing()
    assert (harness.held(ada), harness.reason(ada)) == ("", "undone")


def test_a_wider_policy_uses_what_is_there_already(build: Build) -> None:
    harness, ada = written(build, FILL)
    late(harness, ada)
    assert harness.held(ada) == OLD
    allow(harness, OVERWRITE)
    harness.finish()
    assert harness.held(ada) == NEW, "nothing was bought for it"
    assert harness.credits()["charged"] == 2


@pytest.mark.parametrize("policy", [FILL, OVERWRITE])
def test_a_mobile_in_a_property_of_its_own_is_replaced_there(build: Build, policy: WritePolicy) -> None:
    first, newer = "+33639980012", "+33639980034"
    fakes = [FakeProvider(name, capabilities=ONE_BY_ONE) for name in ("ann", "ben")]
    harness = build(providers=fakes, fields={PHONE: ["ann", "ben"]})
    sync = harness.sync
    phone = replace(sync.fields[PHONE], mobile="mobile", writes=policy)
    harness.reopen(replace(harness.settings, syncs=(replace(sync, fields={PHONE: phone}),)))
    harness.recover()
    ada = harness.person()
    harness.finds(ada, PHONE, first, by="ben")
    harness.ask_the_next("ben")
    assert harness.held(ada, "mobile") == first
    harness.finds(ada, PHONE, newer, by="ann")
    harness.answer_all("ann")
    harness.plan()
    harness.finish()
    stands = newer if policy is OVERWRITE else first
    assert (harness.held(ada, "mobile"), harness.held(ada, "phone"), harness.reason(ada, PHONE)) == (
        stands,
        "",
        "written",
    )


def test_a_value_that_a_better_one_replaced_is_no_cleared_one(build: Build) -> None:
    """The better one is cleared by a program: the one before it is written again, and that one too is cleared once."""
    harness, ada = written(build, BETTER)
    late(harness, ada)
    email = replace(harness.sync.fields[EMAIL], refill=True)
    harness.reopen(replace(harness.settings, syncs=(replace(harness.sync, fields={EMAIL: email}),)))
    harness.recover()
    held = [harness.held(ada)]
    for _ in range(3):
        harness.clock.time += 60
        harness.crm.edit(ada, "email", "", by=Author.MACHINE)
        harness.ask()
        harness.finish()
        held.append(harness.held(ada))
    assert held == [NEW, OLD, "", ""]
