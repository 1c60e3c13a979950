"""The ledger works in sets: how many statements a batch takes does not depend on how many rows it has."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from typing import Any, cast

import pytest

from syncd.contract.model import CONTACT_EVENT, Answer, Delivery, Source, Submission
from syncd.ledger.store import Tx
from syncd.pipeline import inbox as inbox_stage
from tests.contract.fake_provider import CAPABILITIES, FakeProvider, said, sign

from .conftest import Build
from .harness import EMAIL, PHONE, Harness

BULK = replace(CAPABILITIES, batch=100, combines=True)


def asked(build: Build, people: int, kind: type[FakeProvider] = FakeProvider) -> Harness:
    """A bulk of so many contacts is under way for both fields; the even ones will be found."""
    harness = build(providers=[kind("ann", capabilities=BULK)])
    for n in range(people):
        contact = harness.person(f"Ada{n}")
        if n % 2 == 0:
            harness.finds(contact, EMAIL, f"ada{n}@acme.example.com")
            harness.finds(contact, PHONE, f"+44207946{n:04d}")
    harness.pull()
    harness.plan()
    harness.clock.time += 60
    assert harness.dispatch() == 1
    return harness


def statements(harness: Harness, work: Callable[[], Any]) -> int:
    """How many statements the ledger's writer runs for it, those of its triggers and of the commits apart. One that is
    prepared once for many packed bodies, which can't travel as JSON, counts once."""
    seen: Counter[str] = Counter()

    def trace(text: str) -> None:
        if text.startswith("UPDATE delivery SET state = 'applied'"):
            seen["packed"] = 1
        elif not text.startswith(("--", "BEGIN", "COMMIT", "SAVEPOINT", "RELEASE", "PRAGMA")):
            seen[text.split("(", maxsplit=1)[0][:60]] += 1

    def watch(on: bool) -> None:
        def set_(tx: Tx) -> None:
            cast("Any", tx._connection).set_trace_callback(trace if on else None)

        harness.run(harness.ledger.write(set_))

    watch(True)
    work()
    watch(False)
    return seen.total()


def by_contact(harness: Harness) -> list[Delivery]:
    """A callback about each contact of the bulk."""
    (submission,) = harness.fake.accepted.values()
    found = []
    for request in submission.requests:
        body = harness.fake.body(replace(submission, requests=(request,)), final=False)
        headers = {"x-fake-signature": sign(body)}
        found.append(
            Delivery(
                submission_id=submission.id, source=Source.CALLBACK, body=body, headers=headers, part=CONTACT_EVENT
            )
        )
    return found


@pytest.mark.sqlite
@pytest.mark.parametrize("people", [3, 100])
def test_a_bulk_answered_in_one_callback_is_applied_in_a_handful_of_statements(build: Build, people: int) -> None:
    harness = asked(build, people)
    (submission,) = harness.fake.accepted.values()
    harness.deliver(harness.fake.delivery(submission))
    assert statements(harness, harness.inbox) <= 16
    assert harness.sql("SELECT DISTINCT state FROM job") == [("answered",)]


@pytest.mark.sqlite
@pytest.mark.parametrize("people", [3, 100])
def test_callbacks_about_single_contacts_that_wait_are_applied_together(build: Build, people: int) -> None:
    harness = asked(build, people)
    for delivery in by_contact(harness):
        harness.deliver(delivery)
    assert statements(harness, harness.inbox) <= 16
    assert harness.sql("SELECT DISTINCT state FROM job") == [("answered",)]
    assert harness.sql("SELECT DISTINCT state FROM delivery WHERE part <> ''") == [("applied",)]


class Watched(FakeProvider):
    """Notes with how many requests each delivery is read."""

    def parse(self, delivery: Delivery, submission: Submission) -> Answer:
        self.read = [*getattr(self, "read", []), len(submission.requests)]
        return super().parse(delivery, submission)


def test_a_callback_about_one_contact_loads_that_contact_alone(build: Build) -> None:
    harness = asked(build, 100, Watched)
    for delivery in by_contact(harness)[:3]:
        harness.deliver(delivery)
        harness.inbox()
    assert isinstance(harness.fake, Watched)
    assert harness.fake.read == [1, 1, 1]


def test_a_callback_that_names_no_request_of_ours_is_read_with_all_of_them(build: Build) -> None:
    harness = asked(build, 3)
    (submission,) = harness.fake.accepted.values()
    first = submission.requests[0].id
    for body in (
        said([_found("e" * 32)], final=False),  # a stranger's
        said([_found("e" * 32), _found(first)], final=False),  # beside one of ours
        said([], final=False),
    ):
        delivery = Delivery(
            submission_id=submission.id, source=Source.CALLBACK, body=body,
            headers={"x-fake-signature": sign(body)}, part=CONTACT_EVENT,
        )  # fmt: skip
        harness.deliver(delivery)
    harness.inbox()
    assert harness.tally("items_unmatched") == 2
    assert harness.sql("SELECT count(*) FROM job WHERE state = 'answered'") == [(1,)]


def test_what_answers_do_together_is_what_they_do_one_after_the_other(build: Build, tmp_path: Any) -> None:
    """A find after a miss, a miss after a find, credits that ran out, a failure, the same words twice."""
    states = []
    for page in (1, 100):
        folder = tmp_path / str(page)
        folder.mkdir()
        with Harness(folder, providers=[FakeProvider("ann", capabilities=BULK)]) as harness:
            for n in range(6):
                harness.person(f"Ada{n}")
            harness.pull()
            harness.plan()
            harness.clock.time += 60
            harness.dispatch()
            (submission,) = harness.fake.accepted.values()
            ids = [request.id for request in submission.requests]
            bodies = [
                said([_found(ids[0])], final=False),
                said([_found(ids[0], "not_found")], final=False),
                said([_found(ids[1], "not_found")], final=False),
                said([_found(ids[1])], final=False),
                said([_found(ids[2], "no_credits"), _found(ids[3], "failed")], final=False),
                said([_found(ids[3], "failed"), _found(ids[4])], final=False),
                said([_found(ids[4]), _found(ids[2])], final=True),
                said([_found(ids[5])], final=True),
            ]
            for body in bodies:
                harness.deliver(harness.fake.delivery(submission, body=body))
            harness.parts.lanes["ann"].pacer.block(0)
            with pytest.MonkeyPatch.context() as patch:
                patch.setattr(inbox_stage, "PAGE", page)
                harness.inbox()
            states.append(
                [
                    harness.sql("SELECT id, state, reason, note, due_at FROM job ORDER BY id"),
                    harness.sql("SELECT job_id, outcome, candidates, note FROM result ORDER BY job_id, id"),
                    harness.sql("SELECT state, charged_mc, reserved_mc, provider_id FROM submission"),
                    harness.sql("SELECT job_id, live FROM attempt ORDER BY id"),
                    harness.sql("SELECT id, state, note FROM delivery ORDER BY id"),
                    harness.sql("SELECT job_id, source, target, reason, note FROM event ORDER BY job_id, id"),
                ]
            )
    assert states[0] == states[1]


@pytest.mark.sqlite
def test_a_delivery_that_breaks_the_rules_does_not_stop_its_page_mates(build: Build) -> None:
    harness = asked(build, 3)
    first, second, third = by_contact(harness)
    for delivery in (first, second, third):
        harness.deliver(delivery)
    # The schema itself refuses what the second one says.
    harness.run(harness.ledger.write(_refuse_results_of, 2))
    with pytest.raises(Exception, match="not this one"):
        harness.inbox()
    assert harness.sql("SELECT id, state FROM delivery WHERE part <> '' ORDER BY id") == [
        (1, "applied"), (2, "received"), (3, "applied"),
    ]  # fmt: skip


def _refuse_results_of(tx: Tx, delivery: int) -> None:
    tx._connection.execute(
        f"CREATE TRIGGER planted BEFORE INSERT ON result WHEN NEW.delivery_id = {delivery} "
        "BEGIN SELECT RAISE(ABORT, 'not this one'); END"
    )


def _found(request: str, outcome: str = "found") -> dict[str, Any]:
    values = [{"value": "ada@acme.example.com", "grade": "valid"}] if outcome == "found" else []
    return {"id": request, "field": EMAIL, "outcome": outcome, "candidates": values}


@pytest.mark.sqlite
@pytest.mark.parametrize("people", [3, 100])
def test_a_page_of_answers_is_decided_on_and_written_in_a_handful_of_statements(build: Build, people: int) -> None:
    harness = asked(build, people)
    (submission,) = harness.fake.accepted.values()
    harness.deliver(harness.fake.delivery(submission))
    harness.inbox()
    assert statements(harness, harness.verify) <= 20
    harness.clock.time += 60

    def write() -> None:
        while harness.writeback():
            pass

    pages = 1 + people // (2 * harness.crm.capabilities.write_batch)
    assert statements(harness, write) <= 25 * pages
    assert harness.sql("SELECT DISTINCT reason FROM job ORDER BY 1") == [("not_found",), ("written",)]
