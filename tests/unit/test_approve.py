"""Values that a person has to approve: they wait, cost nothing more, and are written by the guards of any value."""

from __future__ import annotations

import json
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pytest
from typer.testing import CliRunner

from syncd.cli import app
from syncd.config import load
from syncd.contract.errors import SyncdError
from syncd.contract.model import Candidate, EnrichmentResult, Grade, Identity, Outcome
from syncd.ledger import reviews
from syncd.ledger.results import dump_candidates
from syncd.ledger.reviews import Review
from syncd.registry import Registry
from tests.contract.fake_crm import FakeCrm
from tests.contract.fake_provider import FakeProvider

from .conftest import Build
from .harness import DAY, EMAIL, ONE_BY_ONE, Harness
from .test_cli_review import CONFIG

NAMES = ("Ada", "Bo", "Cy")


def approving(build: Build, above: int = 0, people: int = 1, **wishes: object) -> tuple[Harness, list[str]]:
    """A harness in which values above so many in a run want approval, with people of whom an e-mail was found."""
    harness = build(**{"fields": {EMAIL: ["ann"]}, **wishes})
    syncs = tuple(replace(sync, approve=above) for sync in harness.settings.syncs)
    harness.reopen(replace(harness.settings, syncs=syncs))
    contacts = [harness.person(name) for name in NAMES[:people]]
    for contact, name in zip(contacts, NAMES, strict=False):
        harness.finds(contact, EMAIL, mail_of(name))
    harness.ask()
    harness.answer_all()
    harness.finish()
    return harness, contacts


def mail_of(name: str) -> str:
    return f"{name.lower()}@acme.example.com"


def waiting(harness: Harness) -> list[Review]:
    return harness.run(harness.ledger.read(reviews.waiting, {"ann": {"email": Decimal(1)}}))


def decide(harness: Harness, decision: str, *chosen: Review) -> int:
    shown = {one.id: one.value for one in chosen}
    work = harness.ledger.write(reviews.decide, list(shown), decision, "maria", now=harness.clock.now(), shown=shown)
    decided = harness.run(work)
    harness.verify()
    harness.clock.time += 60
    harness.writeback()
    return decided


@pytest.mark.parametrize("conditional", [False, True])
def test_a_value_waits_and_is_written_once_it_is_accepted(build: Build, conditional: bool) -> None:
    harness, [ada] = approving(build, crm=FakeCrm("crm", conditional=conditional, history=not conditional))
    assert (harness.held(ada), harness.state(ada)) == ("", "review")
    [one] = waiting(harness)
    told = (one.value, one.old, one.replaces_typed, one.grade, one.cost, one.provider, one.why, one.until)
    assert told == (mail_of("Ada"), "", False, "valid", 1.0, "ann", "approval", None)
    assert decide(harness, reviews.ACCEPTED, one) == 1
    assert (harness.held(ada), harness.reason(ada)) == (mail_of("Ada"), "written")
    assert harness.sql("SELECT decision, decided_by FROM review") == [("accepted", "maria")]


def test_while_it_waits_nothing_is_bought_again_however_long_that_takes(build: Build) -> None:
    harness, [ada] = approving(build, providers=[FakeProvider(n, capabilities=ONE_BY_ONE) for n in ("ann", "bob")])
    harness.crm.edit(ada, "team", "north")
    for _ in range(4):
        harness.clock.time += 100 * DAY
        harness.crm.edit(ada, "team", f"north {harness.clock.time}")
        harness.ask()
        harness.sweep()
        harness.finish()
    assert (harness.state(ada), len(harness.fake.submitted)) == ("review", 1)
    [one] = waiting(harness)
    decide(harness, reviews.ACCEPTED, one)
    assert harness.held(ada) == mail_of("Ada")
    assert len(harness.fake.submitted) == 1


def test_what_a_person_has_typed_meanwhile_stays(build: Build) -> None:
    harness, [ada] = approving(build)
    [one] = waiting(harness)
    harness.crm.edit(ada, "email", "ada@home.example.com")
    decide(harness, reviews.ACCEPTED, one)
    assert (harness.held(ada), harness.reason(ada)) == ("ada@home.example.com", "human_value_kept")


def test_a_refused_value_is_never_written(build: Build) -> None:
    harness, [ada] = approving(build)
    decide(harness, reviews.REFUSED, *waiting(harness))
    assert (harness.held(ada), harness.reason(ada)) == ("", "review_refused")
    harness.clock.time += DAY
    harness.ask()
    assert (harness.held(ada), len(harness.fake.submitted)) == ("", 1)


def test_above_a_number_of_a_run_the_rest_waits(build: Build) -> None:
    harness, contacts = approving(build, above=2, people=3)
    assert [harness.state(contact) for contact in contacts] == ["done", "done", "review"]
    harness.clock.time += 2 * DAY
    harness.pull()
    harness.plan()
    harness.finish()
    assert harness.state(contacts[2]) == "review", "another run does not let through what waits"
    late = harness.person("Di")
    harness.finds(late, EMAIL, mail_of("Di"))
    harness.ask()
    harness.answer_all()
    harness.finish()
    assert harness.reason(late) == "written", "a run may write as many again"


def test_a_contact_that_has_become_somebody_else_is_looked_at_anew(build: Build) -> None:
    harness, [ada] = approving(build)
    [one] = waiting(harness)
    stranger = Identity(first_name="Zoe", last_name="Other", linkedin_url="https://www.linkedin.com/in/zoe")
    harness.crm.rename(ada, stranger)
    harness.pull()
    harness.plan()
    harness.verify()
    assert one.id not in {other.id for other in waiting(harness)}
    assert decide(harness, reviews.ACCEPTED, one) == 0
    assert harness.held(ada) == ""


def test_a_contact_that_changes_between_acceptance_and_write_is_judged_as_ever(build: Build) -> None:
    """An approval says that a value is wanted, not whose it is."""
    harness, [ada] = approving(build)
    [one] = waiting(harness)
    stranger = Identity(first_name="Zoe", last_name="Other", linkedin_url="https://www.linkedin.com/in/zoe")
    harness.crm.rename(ada, stranger)
    decide(harness, reviews.ACCEPTED, one)
    assert harness.held(ada) == ""


def test_another_value_than_the_one_that_was_shown_is_not_accepted(build: Build) -> None:
    harness, [ada] = approving(build)
    [one] = waiting(harness)
    assert decide(harness, reviews.ACCEPTED, replace(one, value="other@acme.example.com")) == 0
    assert (harness.held(ada), harness.state(ada)) == ("", "review")


def test_a_doubtful_value_that_was_accepted_needs_no_approval_beside(build: Build) -> None:
    harness = build(fields={EMAIL: ["ann"]})
    harness.reopen(replace(harness.settings, syncs=(replace(harness.sync, approve=0),)))
    ada = harness.person()
    harness.finds(ada, EMAIL, mail_of("Ada"))
    harness.fake.says[ada, EMAIL] = (Identity(first_name="Ada", last_name="Test", company="Elsewhere"),)
    harness.ask()
    harness.answer_all()
    harness.finish()
    [one] = waiting(harness)
    assert one.why != "approval"
    decide(harness, reviews.ACCEPTED, one)
    assert harness.held(ada) == mail_of("Ada")


def test_a_better_answer_that_comes_while_one_waits_is_what_is_shown(build: Build) -> None:
    harness, [ada] = approving(build, accept=frozenset({Grade.VALID, Grade.CATCH_ALL}))
    [before] = waiting(harness)
    found = (Candidate(value="ada.test@acme.example.com", grade=Grade.VALID),)
    harness.fake.finds[ada, EMAIL] = found
    [submission] = harness.fake.accepted.values()
    harness.call_back(submission, harness.fake.body(submission))
    harness.verify()
    shown = waiting(harness)
    assert [one.why for one in shown] == ["approval"] * len(shown)
    assert decide(harness, reviews.ACCEPTED, before) + decide(harness, reviews.ACCEPTED, *shown) >= 1
    assert harness.held(ada) in {one.value for one in (before, *shown)}


# --- commands and configuration -------------------------------------------------------------------


def command(harness: Harness, *arguments: str, code: int = 0) -> str:
    file = harness.path.parent / "config.yaml"
    file.write_text(CONFIG.format(path=json.dumps(str(harness.path)), secret="x" * 40), encoding="utf-8")
    done = CliRunner().invoke(app, ["review", *arguments, "-c", str(file)])
    if isinstance(done.exception, SyncdError):
        return str(done.exception)
    assert done.exit_code == code, (done.output, done.exception)
    return done.output


def test_exactly_the_set_that_was_shown_is_accepted(build: Build) -> None:
    harness, contacts = approving(build, people=2)
    shown = json.loads(command(harness, "accept", "--why", "approval", "--json"))
    assert (len(shown["ids"]), shown["done"], shown["decided"]) == (2, False, 0)
    assert shown["set"] in command(harness, "accept", "--why", "approval")
    late = harness.person("Di")
    harness.finds(late, EMAIL, mail_of("Di"))
    harness.ask()
    harness.answer_all()
    harness.finish()
    refused = command(harness, "accept", "--why", "approval", "--yes", "--set", shown["set"])
    assert "3 fit now, and they are not the ones that were shown" in refused
    assert len(waiting(harness)) == 3
    ids = [str(one) for one in shown["ids"]]
    done = json.loads(command(harness, "accept", *ids, "--json"))
    assert done["decided"] == 2
    harness.verify()
    harness.clock.time += 60
    harness.writeback()
    assert [harness.held(contact) for contact in (*contacts, late)] == [mail_of("Ada"), mail_of("Bo"), ""]
    [(who,)] = harness.sql("SELECT DISTINCT decided_by FROM review WHERE decision = 'accepted'")
    assert who


def test_the_list_tells_what_is_there_now_grade_and_cost(build: Build) -> None:
    harness, _ = approving(build)
    said = command(harness, "list")
    assert all(word in said for word in ("(blank)", "valid", "approval", "a…@acme.example.com", "you decide"))
    [one] = waiting(harness)
    assert "waits for: approval" in command(harness, "show", str(one.id))


def test_a_grade_is_that_of_the_value_and_not_of_another_one_that_came_with_it() -> None:
    """Values are written in another form than they came in; of one that is not there, the first one's grade is told."""
    found = dump_candidates(
        EnrichmentResult(
            request_id="",
            field=EMAIL,
            outcome=Outcome.FOUND,
            candidates=(
                Candidate(value="other@acme.example.com", grade=Grade.VALID),
                Candidate(value="Ada@Acme.example.com", grade=Grade.PROBABLE),
                Candidate(value="+33 6 39 98 00 12", grade=Grade.CATCH_ALL),
            ),
        )
    )
    values = ("ada@acme.example.com", "+33639980012", "gone@acme.example.com")
    assert [reviews.grade_of(found, one) for one in values] == ["probable", "catch_all", "valid"]
    assert reviews.grade_of("[]", "ada@acme.example.com") == ""


@pytest.mark.parametrize(
    ("written", "wanted"), [("true", 0), ("false", None), ("{ above: 100 }", 100), ("{ above: 0 }", 0)]
)
def test_it_is_configured_for_each_sync(tmp_path: Path, written: str, wanted: int | None) -> None:
    text = CONFIG.format(path=json.dumps(str(tmp_path / "ledger.db")), secret="x" * 40)
    file = tmp_path / "config.yaml"
    file.write_text(text.replace("every: 15m,", f"every: 15m, approve: {written},"), encoding="utf-8")
    [sync] = load(file, {}, registry=Registry()).syncs
    assert sync.approve == wanted
