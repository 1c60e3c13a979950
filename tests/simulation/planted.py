"""Planted bugs: what the simulation must find, each put in for the length of a history and taken out again.

A simulation that finds nothing proves nothing: each of these is an honest mistake that somebody could
make in syncd, as small as it can be.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace
from decimal import Decimal
from functools import partial
from types import SimpleNamespace
from typing import Any

import structlog
from starlette.responses import Response

from connectors.fullenrich import Connector as FullEnrich
from connectors.fullenrich import answer as fullenrich_answer
from connectors.zeliq import answer as zeliq_answer
from syncd.config import Ages, WritePolicy
from syncd.contract.model import Change, Delivery, Field, Grade, Snapshot, WriteStatus
from syncd.contract.pacing import Pacer
from syncd.ledger import (
    budgets,
    candidates,
    claims,
    configured,
    confirmations,
    connections,
    contacts,
    decisions,
    gates,
    inbox,
    people,
    renames,
    selections,
    store,
    submissions,
    suppressions,
    writes,
)
from syncd.ledger.budgets import Budget
from syncd.ledger.confirmations import Confirmation
from syncd.ledger.contacts import Rules
from syncd.ledger.results import Since
from syncd.ledger.selections import Pull
from syncd.ledger.states import JobState, Reason
from syncd.ledger.store import Tx
from syncd.log import Redaction
from syncd.people import answers, groups
from syncd.people.answers import About, Verdict
from syncd.pipeline import (
    address,
    choose,
    deciding,
    fresh,
    paid_calls,
    probe,
    pull,
    reconfigure,
    refresh,
    sweep,
    undoing,
    writeback,
)
from syncd.pipeline import inbox as inbox_stage
from syncd.pipeline.address import Address, Addresses
from syncd.pipeline.breaker import Breaker
from syncd.pipeline.deciding import fingerprint
from syncd.pipeline.gate import Gate
from syncd.pipeline.parts import Parts
from syncd.pipeline.work import AtWork
from syncd.policy import decide, guard, replacing, undo, values
from syncd.web import public

from .timeline import DAY

Bug = Callable[[], AbstractContextManager[None]]


@contextmanager
def swap(place: Any, name: str, instead: Any) -> Iterator[None]:
    """`instead` stands in for an attribute until the end of the block."""
    before = getattr(place, name)
    setattr(place, name, instead)
    try:
        yield
    finally:
        setattr(place, name, before)


@contextmanager
def statement(name: str, old: str, new: str) -> Iterator[None]:
    """Another wording of one of the ledger's statements."""
    queries = store.queries()
    before = queries[name]
    assert old in before, f"the statement {name} has changed"
    queries[name] = before.replace(old, new)
    try:
        yield
    finally:
        queries[name] = before


# --- money -------------------------------------------------------------------------------------------


def resend_on_timeout() -> AbstractContextManager[None]:
    """A time-out is taken for a refusal."""

    async def doubt(run: Any, submission: Any, why: str) -> None:
        await run._refused(submission, why)

    return swap(paid_calls.Calls, "_doubt", doubt)


def intent_after_send() -> AbstractContextManager[None]:
    """The intent is written once the call is over."""

    async def carry(run: Any, items: Sequence[Any]) -> None:
        submission = run._submission(items, run.parts.clock.now())
        receipt = await run.lane.provider.submit(submission)
        await run.claimed.write(
            submissions.intend,
            submission,
            items,
            provider=run.connection.name,
            sync=run.sync.name,
            reserve={field: Decimal(0) for item in items for field in item.jobs},
            limits=[],
            deadline=run.parts.clock.now() + DAY,
            now=run.parts.clock.now(),
        )
        await run._accepted(submission, receipt)

    return swap(paid_calls.Calls, "carry", carry)


def requeue_in_doubt_on_restart() -> AbstractContextManager[None]:
    """After a crash, what was being sent is sent again."""
    recover = submissions.recover

    def again(tx: Tx, hold: Any, *, now: float, owner: int = submissions.NOBODY) -> int:
        ids = [row["id"] for row in tx.rows("submissions_intended", owner=owner, now=now)]
        done = recover(tx, hold, now=now, owner=owner)
        for submission_id in ids:
            submissions.not_sent(tx, submission_id, "sent again", now=now)
        return done

    return swap(submissions, "recover", again)


@contextmanager
def reuse_live_attempt() -> Iterator[None]:
    """Nothing in the schema forbids a second question, and a doubtful one goes back to the queue."""
    doubt = submissions.doubt

    def and_again(tx: Tx, submission_id: str, note: str, *, hold_until: float, now: float) -> None:
        doubt(tx, submission_id, note, hold_until=hold_until, now=now)
        tx._connection.execute("DROP INDEX IF EXISTS attempt_once")
        submissions._move_flight(tx, [submission_id], (JobState.IN_DOUBT,), JobState.QUEUED, now=now)

    with swap(submissions, "doubt", and_again):
        yield


@contextmanager
def share_without_person_lock() -> Iterator[None]:
    """The same person in two places is nobody's concern."""
    candidate = candidates._candidate

    def alone(*args: Any, **kwargs: Any) -> Any:
        return replace(candidate(*args, **kwargs), person=None, names=frozenset(), relatives=())

    with (
        swap(candidates, "_candidate", alone),
        statement("jobs_not_wanted", "other.id <> job.id", "other.id <> other.id"),
        identical_question_not_looked_up(),
    ):
        yield


@contextmanager
def identical_question_not_looked_up() -> Iterator[None]:
    """Whether a provider was told the very same before does not matter."""
    with (
        swap(candidates, "asked", lambda *_, **__: {}),
        statement("questions_taken", "attempt.live = 1", "attempt.live = 1 AND attempt.question IS NULL"),
    ):
        yield


def budget_ignores_reserved() -> AbstractContextManager[None]:
    """Only what was charged counts against the budget."""
    return statement("spent_since", "charged_mc + reserved_mc + assumed_mc", "charged_mc")


def budget_forgets_what_is_in_doubt() -> AbstractContextManager[None]:
    """What a doubtful call has reserved counts against no budget."""
    return statement("spent_since", "reserved_mc + assumed_mc)", "reserved_mc + assumed_mc - doubt_mc)")


def budget_of_a_field_forgets_bulks() -> AbstractContextManager[None]:
    """A call for several fields is none of a single field's budget."""
    part = Budget.part

    def of_one(budget: Budget, shares: Any) -> Any:
        return None if budget.fields is not None and len(shares) > 1 else part(budget, shares)

    return swap(Budget, "part", of_one)


def budget_of_a_sync_counts_nothing() -> AbstractContextManager[None]:
    """What was spent for a single sync is not found."""
    return statement("spent_since", "sync IN (SELECT value", "sync || '?' IN (SELECT value")


def budget_of_a_provider_counts_nothing() -> AbstractContextManager[None]:
    """What was spent at a single provider is not found."""
    return statement("spent_since", "provider IN (SELECT value", "provider || '?' IN (SELECT value")


def budget_of_a_run_ignores_reserved() -> AbstractContextManager[None]:
    """Only what was charged counts against what a run may spend."""
    return statement("spent_in_runs", "charged_mc + reserved_mc + assumed_mc", "charged_mc")


def budget_of_a_month_counts_a_week() -> AbstractContextManager[None]:
    """A month is over after seven days."""
    return swap(budgets, "DAYS", {**budgets.DAYS, "month": 7})


def budget_in_utc() -> AbstractContextManager[None]:
    """Every budget's days begin at midnight in UTC."""
    first = budgets.first_moment
    return swap(budgets, "first_moment", lambda now, _, days=1: first(now, "UTC", days))


def budget_of_a_refresh_counts_nothing() -> AbstractContextManager[None]:
    """That a call verifies a value again is forgotten."""
    return statement("submission_make", ":owner, :refresh", ":owner, 0 * :refresh")


def release_on_doubt() -> AbstractContextManager[None]:
    """A doubtful call gives its reservation back."""
    return statement("submission_state", "SET state = :target", "SET reserved_mc = 0, state = :target")


@contextmanager
def double_settle() -> Iterator[None]:
    """Each final answer is charged once more."""
    with (
        statement(
            "submissions_settled",
            "charged_mc = CAST(given.value ->> 1 AS INTEGER),",
            "charged_mc = coalesce(charged_mc, 0) + CAST(given.value ->> 1 AS INTEGER),",
        ),
        statement("submissions_settled", "AND state <> 'settled'", ""),
    ):
        yield


def charge_ignored() -> AbstractContextManager[None]:
    """What the provider says it charged is not believed: everything was free."""
    return statement("submissions_settled", "charged_mc = CAST(given.value ->> 1 AS INTEGER),", "charged_mc = 0,")


def bulk_all_or_nothing() -> AbstractContextManager[None]:
    """A bulk dearer than the budget is not sent, nor any part of it."""

    async def afford(run: Any, _: Any, cap: Any) -> None:
        run.tight = True
        await run.note_cap(cap)

    return swap(paid_calls.Calls, "_afford", afford)


@contextmanager
def gate_ignored() -> Iterator[None]:
    """Whatever the watches say, it is bought."""
    with swap(Gate, "why", lambda *_: ""), swap(gates, "require_open", lambda *_, **__: None):
        yield


# --- callbacks ---------------------------------------------------------------------------------------


def drop_early_callback() -> AbstractContextManager[None]:
    """A callback that comes before the answer to its call is thrown away."""
    apply = inbox.apply_many

    def only_if_accepted(tx: Tx, readings: Sequence[Any], *, now: float) -> int:
        early = [one for one in readings if _state(tx, one) == "intent"]
        for one in early:
            tx.run("delivery_done", id=one.got.id, state="applied", note="too early")
        return apply(tx, [one for one in readings if one not in early], now=now)

    def _state(tx: Tx, one: Any) -> str:
        return str(tx.rows("submissions_get", ids=json.dumps([one.got.delivery.submission_id]))[0]["state"])

    return swap(inbox, "apply_many", only_if_accepted)


def trust_any_mac() -> AbstractContextManager[None]:
    """The address is read and believed."""

    def check(_: Addresses, __: str, query: Sequence[tuple[str, str]], *, now: float) -> Address | None:
        given = dict(query)
        return Address(given["a"], int(now)) if "a" in given else None

    return swap(Addresses, "check", check)


def trust_any_signature() -> AbstractContextManager[None]:
    """The vendor's signature is not looked at."""
    return swap(FullEnrich, "authenticate", lambda *_: True)


def ack_before_commit() -> AbstractContextManager[None]:
    """200 first, the disk later."""
    store_ = public._Receiver._store

    async def store_later(receiver: Any, name: str, delivery: Delivery, unread: str = "") -> Response:
        if unread or not receiver._parts.lanes[name].provider.authenticate(delivery):
            return await store_(receiver, name, delivery, unread)
        receiver.later = asyncio.ensure_future(store_(receiver, name, delivery, unread))
        return Response(status_code=200)

    return swap(public._Receiver, "_store", store_later)


def ack_when_disk_full() -> AbstractContextManager[None]:
    """A callback that could not be stored is acknowledged all the same."""
    store_ = public._Receiver._store

    async def always_well(receiver: Any, name: str, delivery: Delivery, unread: str = "") -> Response:
        answer = await store_(receiver, name, delivery, unread)
        return Response(status_code=200) if answer.status_code == 503 else answer

    return swap(public._Receiver, "_store", always_well)


def accept_mismatch() -> AbstractContextManager[None]:
    """An answer about somebody else is as good as any."""
    return _all_answers(lambda _: About(Verdict.SAME, ("the profile",)))


def doubt_is_believed() -> AbstractContextManager[None]:
    """What is doubtful counts as the contact's, and nobody is asked to look at it."""
    return _all_answers(lambda found: replace(found, verdict=Verdict.SAME) if _doubtful(found) else found)


def doubt_is_thrown_away() -> AbstractContextManager[None]:
    """What is doubtful counts as somebody else's."""
    return _all_answers(lambda found: replace(found, verdict=Verdict.OTHER) if _doubtful(found) else found)


def _doubtful(found: About) -> bool:
    return found.verdict is Verdict.DOUBTFUL


@contextmanager
def _all_answers(judged: Callable[[About], About]) -> Iterator[None]:
    """Whose an answer is is judged in another way, wherever it is judged."""
    about = answers.about

    def instead(*args: Any, **kwargs: Any) -> About:
        return judged(about(*args, **kwargs))

    with swap(decide, "about", instead), swap(choose, "about", instead), swap(guard, "about", instead):
        yield


def accept_any_grade() -> AbstractContextManager[None]:
    """Whatever is found is written."""
    judge: Any = values._judge
    everything = frozenset(Grade)

    def any_grade(*given: Any, **more: Any) -> Any:
        *others, policy = given
        return judge(*others, replace(policy, accept=everything), **more)

    return swap(values, "_judge", any_grade)


def answer_without_echo_believed() -> AbstractContextManager[None]:
    """An unsigned find is taken although it repeats nothing of what was asked."""
    return swap(zeliq_answer, "_believe_find", lambda *_: None)


def last_word_not_the_last() -> AbstractContextManager[None]:
    """An unsigned answer is taken although the call has had its last word."""
    return swap(inbox, "had_last_word", lambda *_: set())


def matched_by_position() -> AbstractContextManager[None]:
    """A bulk's answers are taken in the order in which they come."""

    def match(items: Sequence[Any], requests: Sequence[Any]) -> tuple[dict[str, Any], int]:
        return {request.id: item for request, item in zip(requests, items, strict=False)}, 0

    return swap(fullenrich_answer, "_match", match)


def late_answer_ignored() -> AbstractContextManager[None]:
    """Once a job has ended, nothing opens it again."""
    return swap(inbox, "REOPENED_BY_LATE_ANSWER", frozenset[Reason]())


def inbox_forgets_the_rest() -> AbstractContextManager[None]:
    """A delivery that waits is marked as read before it is applied."""

    async def apply(parts: Parts, held: Any) -> int:
        for id_ in held.items:
            await held.write(lambda tx, id_: tx.run("delivery_done", id=id_, state="applied", note=""), id_)
        return await before(parts, held)

    before = inbox_stage._apply
    return swap(inbox_stage, "_apply", apply)


# --- the CRM -----------------------------------------------------------------------------------------


def blind_write() -> AbstractContextManager[None]:
    """What was read before the write does not matter."""

    def put(job: Any, now_there: Snapshot, _: Any) -> guard.Put | guard.End:
        gone = guard.End(Reason.GONE, "")
        there = now_there.values.get(job.field, "")
        return gone if now_there.current is None else guard.Put(before=there, seen="", revision="")

    return swap(writeback, "before_write", put)


def no_cas_recheck() -> AbstractContextManager[None]:
    """What was written stands: nobody looks."""

    async def believe(parts: Parts, _: Any, __: Any, held: Any, batch: Any) -> int:
        ends = [(job, guard.End(Reason.WRITTEN)) for job, _ in batch.check.values()]
        return int(await held.write(writeback._finish, ends, now=parts.clock.now()))

    return swap(writeback, "_see_it_stand", believe)


def restore_unchecked() -> AbstractContextManager[None]:
    """What is put back stands: nobody looks whether it covered another edit."""

    async def restore(crm: Any, sync: Any, theirs: Any, _: Any, __: Any) -> list[Any]:
        changes = [
            Change(ref=ref, field=fld, expected=job.value, new=what.value) for (ref, fld), (job, what) in theirs.items()
        ]
        outcomes = await crm.write(changes, sync.selection)
        kept = guard.End(Reason.VALUE_KEPT, "", restored=True)
        return [(theirs[o.ref, o.field][0], kept) for o in outcomes if o.status is WriteStatus.WRITTEN]

    return swap(writeback, "_restore", restore)


def ignore_blocked() -> AbstractContextManager[None]:
    """A field that was cleared on purpose, or whose owner has opted out, is blank and no more."""
    before = guard.before_write
    return swap(writeback, "before_write", lambda job, there, rule: before(job, replace(there, blocked={}), rule))


def undo_ignores_a_later_edit() -> AbstractContextManager[None]:
    """Whatever stands where we have written is taken back."""

    def put(one: Any, now_there: Snapshot) -> guard.Put | undo.End:
        if now_there.current is None:
            return undo.End(undo.Outcome.GONE)
        versions = now_there.versions.get(one.field, ())
        newest = versions[0].at if versions else now_there.changed_at
        return guard.Put(before=now_there.values.get(one.field, ""), seen=newest, revision=now_there.revision)

    return swap(undoing, "before_undo", put)


def anybody_s_value_replaced() -> AbstractContextManager[None]:
    """Where values may be replaced, it is not looked at whose they are."""
    return swap(replacing, "why_not", lambda rule, *_: "" if rule.policy is not WritePolicy.FILL_BLANK else "filled")


def write_again_at_once() -> AbstractContextManager[None]:
    """After a crash a write is repeated, although the first one may still be on its way."""
    return swap(writes, "postpone_all", lambda *_, **__: None)


# --- the log -----------------------------------------------------------------------------------------


@contextmanager
def careless_log() -> Iterator[None]:
    """What is found is told on the way, and nothing is masked."""
    accepted = decide._accepted

    def aloud(*asked: Any) -> Any:
        found = accepted(*asked)
        structlog.get_logger().info("found", what=found.value.text)
        return found

    with swap(decide, "_accepted", aloud), swap(Redaction, "__call__", lambda _, __, ___, line: line):
        yield


# --- who is left alone -------------------------------------------------------------------------------


@contextmanager
def suppression_checked_at_the_plan_only() -> Iterator[None]:
    """The list is looked at when somebody changes: what was planned before is bought and written all the same."""
    blind = SimpleNamespace(of_contacts=lambda *_: {}, of_jobs=lambda *_: {})
    with (
        swap(suppressions, "_decide_again", lambda *_: None),
        swap(candidates, "suppressions", blind),
        swap(submissions, "suppressions", blind),
        swap(writeback, "suppressions", blind),
    ):
        yield


# --- who is who --------------------------------------------------------------------------------------


def answers_not_compared_at_the_write() -> AbstractContextManager[None]:
    """Whom the record is about by now is not looked at before a write."""
    return swap(guard, "_somebody_else", lambda *_: None)


@contextmanager
def renamed_record_keeps_the_answer() -> Iterator[None]:
    """What was decided stays decided, whoever a record is about by now; so does what is about to be written."""
    with swap(people, "_decide_again", lambda *_, **__: None), swap(guard, "_somebody_else", lambda *_: None):
        yield


def one_mailbox_two_names_unites() -> AbstractContextManager[None]:
    """A mailbox is one person's, whatever the names say."""
    return swap(groups._Union, "_two_names", lambda *_: False)


def opt_out_stays_with_the_record() -> AbstractContextManager[None]:
    """A person who has opted out in one CRM is asked about in the other."""
    return swap(Parts, "rules", property(lambda _: Rules(by_person=False)))


# --- another configuration ---------------------------------------------------------------------------


def budget_starts_at_zero_after_a_rename() -> AbstractContextManager[None]:
    """What a sync has spent stays with its former name."""
    return swap(configured, "_rename", _without("rename_spend", "drop_spend"))


def renamed_sync_leaves_its_work() -> AbstractContextManager[None]:
    """The jobs of a sync stay with its former name."""
    return swap(configured, "_rename", _without("rename_jobs"))


def refused_values_never_tried_again() -> AbstractContextManager[None]:
    """What a rule of the CRM forbids today is given up."""
    return swap(writes, "REFUSED_FOR", -1.0)


@contextmanager
def buying_goes_on_while_writes_are_refused() -> Iterator[None]:
    """That the CRM takes nothing is nobody's concern."""
    with swap(Confirmation, "is_shut", False), swap(confirmations, "allowance", lambda *_, **__: None):
        yield


@contextmanager
def selection_change_not_noticed() -> Iterator[None]:
    """Whoever was pulled once stays, whatever the filter says by now."""

    def ever(sync: Any) -> str:
        return fingerprint(replace(sync, match={}))

    with (
        swap(pull, "fingerprint", ever),
        swap(deciding, "fingerprint", ever),
        swap(reconfigure, "fingerprint", ever),
        swap(fresh, "is_fresh", lambda *_: True),
    ):
        yield


def _without(*left_out: str) -> Callable[[Tx, str, str], None]:
    rename = configured._rename

    def in_part(tx: Tx, old: str, new: str) -> None:
        run = tx.run

        def unless(statement: str, /, **values: Any) -> int:
            return 0 if statement in left_out else run(statement, **values)

        with swap(tx, "run", unless):
            rename(tx, old, new)

    return in_part


@contextmanager
def changed_policy_not_noticed() -> Iterator[None]:
    """What was decided by another policy stays decided."""
    with swap(reconfigure, "_mark", lambda *_: "as ever"):
        yield


# --- connections ---------------------------------------------------------------------------------------


def renamed_provider_leaves_its_work() -> AbstractContextManager[None]:
    """The jobs that a provider is to be asked for stay with its former name."""
    return _renamed_without("rename_connection_in_jobs")


def renamed_crm_leaves_its_contacts() -> AbstractContextManager[None]:
    """Contacts stay with the CRM's former name, and are new to the other one."""
    return _renamed_without("rename_connection_in_contacts")


def renamed_provider_leaves_its_credits() -> AbstractContextManager[None]:
    """What was spent stays with the provider's former name."""
    return _renamed_without("rename_connection_in_spend")


def answers_to_a_former_name_refused() -> AbstractContextManager[None]:
    """An address with a name that a connection has no more is not known."""
    return _renamed_without("former_name_add")


def _renamed_without(left_out: str) -> AbstractContextManager[None]:
    assert left_out in renames.STATEMENTS
    return swap(renames, "STATEMENTS", tuple(name for name in renames.STATEMENTS if name != left_out))


def another_account_not_noticed() -> AbstractContextManager[None]:
    """Whose key it is does not matter."""
    return swap(connections, "keep_account", lambda _, __, told: told)


def no_breaker() -> AbstractContextManager[None]:
    """A paid call that ended in doubt is no reason to wait with the next ones."""
    return swap(Breaker, "doubted", lambda breaker, *_: breaker)


# --- decisions that are taken again -------------------------------------------------------------------


def no_look_before_a_purchase() -> AbstractContextManager[None]:
    """What was pulled once is believed, however long a job has waited since."""
    return swap(fresh, "is_fresh", lambda *_: True)


def bought_before_a_confirmed_write() -> AbstractContextManager[None]:
    """Whether the CRM takes what is written is found out when everything is bought."""
    allowance = confirmations.allowance
    return swap(confirmations, "allowance", lambda *given, limit, **more: allowance(*given, limit=0 * limit, **more))


def cleared_value_written_again() -> AbstractContextManager[None]:
    """Where a program has cleared our value, the same one is as good as another."""
    judged = decide._judged
    return swap(decide, "_judged", lambda one, whose, f, policy: judged(one, whose, replace(f, written=None), policy))


def old_miss_never_asked_again() -> AbstractContextManager[None]:
    """When to decide again is decided, and forgotten."""
    return swap(decisions, "again", lambda *_: None)


@contextmanager
def finds_age_like_misses() -> Iterator[None]:
    """A find counts no longer than a miss."""
    stale_at, since = decide.stale_at, paid_calls.Calls.known_since

    def ages(policy: decide.Policy, provider: str) -> Ages:
        missed = policy.ages(provider).not_found
        return Ages(found=missed, not_found=missed)

    def known(run: Any, now: float) -> dict[Field, Since]:
        return {field: Since(one.missed, one.missed) for field, one in since(run, now).items()}

    def stale(one: Any, policy: decide.Policy) -> float | None:
        return stale_at(one, replace(policy, ages=partial(ages, policy)))

    with swap(decide, "stale_at", stale), swap(paid_calls.Calls, "known_since", known):
        yield


def undecided_forgotten() -> AbstractContextManager[None]:
    """Whoever waited until another selection was pulled to its end waits for ever."""
    return statement("contacts_unsure", "due_at >= :never", "due_at < 0 * :never")


# --- time, crashes -----------------------------------------------------------------------------------


@contextmanager
def cursor_before_page() -> Iterator[None]:
    """The cursor is stored before the contacts are, and the sweep that would bring them after all is seldom."""
    store, begin = contacts.store_page, selections.begin

    def seldom(tx: Tx, fingerprint: str, *, sweep_after: float, now: float) -> Pull:
        return begin(tx, fingerprint, sweep_after=max(sweep_after, 1_000 * DAY), now=now)

    async def pages(parts: Parts, sync: Any, _: Any, begun: Pull, run: int) -> int:
        async for page in parts.crms[sync.crm].pull(sync.selection, begun.cursor):
            empty, now = replace(page, contacts=()), parts.clock.now()
            await parts.ledger.write(selections.seen, begun, empty, at=now)
            await parts.ledger.write(store, sync.name, run, page, tuple(sync.fields), now=now, rules=parts.rules)
            await parts.ledger.write(selections.seen, begun, page, at=now)
            parts.bells.ring("plan")
        return 1

    with swap(pull, "_pages", pages), swap(selections, "begin", seldom):
        yield


def no_recovery() -> AbstractContextManager[None]:
    """A start takes everything as it finds it."""

    async def recover(_: Parts) -> int:
        return 0

    return swap(sweep, "recover", recover)


def no_deadlines() -> AbstractContextManager[None]:
    """What never answers is waited for for ever."""

    async def none(_: Parts) -> int:
        return 0

    return swap(sweep, "_deadlines", none)


def halted_for_good() -> AbstractContextManager[None]:
    """A connection that was halted stays so."""

    async def lift(*_: Any) -> int:
        return 0

    return swap(probe, "_lift", lift)


def mac_of_the_date_only() -> AbstractContextManager[None]:
    """The MAC says only when the address ends."""
    return swap(address, "_SIGNED", ("e",))


def pacer_forgets_to_open() -> AbstractContextManager[None]:
    """A lane that was slowed down once stays closed."""
    return swap(Pacer, "block", lambda pacer, _: setattr(pacer, "_blocked_until", float("inf")))


# --- several processes: one life is one process, so tests/unit/test_claims.py finds these ---------------


def intent_put_back_into_the_queue() -> AbstractContextManager[None]:
    """What a process was sending that has ended is sent by another one."""
    return requeue_in_doubt_on_restart()


@contextmanager
def lease_that_buys_twice() -> Iterator[None]:
    """The same, and whoever only stood still makes its call, too."""
    with requeue_in_doubt_on_restart(), swap(AtWork, "lasts", lambda *_: True):
        yield


@contextmanager
def result_under_a_lost_epoch() -> Iterator[None]:
    """What came of some work is stored, whoever holds it by now."""
    with (
        swap(claims, "require", lambda *_: None),
        swap(claims, "release", lambda _, claim: len(claim.items)),
    ):
        yield


def named(*bugs: Callable[[], Any]) -> dict[str, Bug]:
    return {bug.__name__: partial(bug) for bug in bugs}


def refresh_without_a_look() -> AbstractContextManager[None]:
    """What somebody has changed since is taken for a value of ours that still stands."""
    return swap(refresh, "_stands", lambda *_: True)


PLANTED = named(
    resend_on_timeout, intent_after_send, requeue_in_doubt_on_restart, reuse_live_attempt, share_without_person_lock,
    budget_ignores_reserved, budget_forgets_what_is_in_doubt, budget_of_a_field_forgets_bulks,
    budget_of_a_sync_counts_nothing, budget_of_a_provider_counts_nothing, budget_of_a_run_ignores_reserved,
    budget_of_a_month_counts_a_week, budget_in_utc,
    release_on_doubt, double_settle, charge_ignored, bulk_all_or_nothing,
    gate_ignored,
    drop_early_callback, trust_any_mac, trust_any_signature, ack_before_commit, ack_when_disk_full, accept_mismatch,
    accept_any_grade, matched_by_position, late_answer_ignored, inbox_forgets_the_rest,
    blind_write, no_cas_recheck, restore_unchecked, ignore_blocked, write_again_at_once, careless_log,
    cursor_before_page, no_recovery, no_deadlines, halted_for_good, mac_of_the_date_only, pacer_forgets_to_open,
    identical_question_not_looked_up, doubt_is_believed, doubt_is_thrown_away, answer_without_echo_believed,
    last_word_not_the_last, answers_not_compared_at_the_write, renamed_record_keeps_the_answer,
    one_mailbox_two_names_unites, opt_out_stays_with_the_record,
    budget_starts_at_zero_after_a_rename, renamed_sync_leaves_its_work, changed_policy_not_noticed,
    refused_values_never_tried_again, buying_goes_on_while_writes_are_refused, selection_change_not_noticed,
    renamed_provider_leaves_its_work, renamed_crm_leaves_its_contacts, renamed_provider_leaves_its_credits,
    answers_to_a_former_name_refused, another_account_not_noticed, no_breaker, no_look_before_a_purchase,
    bought_before_a_confirmed_write, cleared_value_written_again, old_miss_never_asked_again, finds_age_like_misses,
    undecided_forgotten, undo_ignores_a_later_edit, anybody_s_value_replaced, suppression_checked_at_the_plan_only,
)  # fmt: skip

IN_WEEKS = named(refresh_without_a_look, budget_of_a_refresh_counts_nothing)  # what is not due before
FOR_TWO = named(intent_put_back_into_the_queue, lease_that_buys_twice, result_under_a_lost_epoch)

LOUD = {"careless_log"}  # what is found in the log alone

FOCUS: dict[str, tuple[str, ...]] = {  # what a bug needs several of at once, to be found soon
    "restore_unchecked": ("edit_before_write", "edit_after_write"),
    "write_again_at_once": ("crash_in_write", "crm_slow", "edit_after_write"),
    "no_cas_recheck": ("edit_before_write",),
    "ignore_blocked": ("opt_out", "clear"),
    "budget_forgets_what_is_in_doubt": ("bad_gateway", "cut_after"),
    "double_settle": ("twice", "replayed", "unheard"),
    "drop_early_callback": ("early",),
    "ack_when_disk_full": ("disk_full", "locked"),
    "ack_before_commit": ("disk_full", "locked", "crash_in_receipt"),
    "accept_mismatch": ("stranger",),
    "late_answer_ignored": ("very_late",),
    "cursor_before_page": ("crash_after_commit",),
    "gate_ignored": ("no_way_in",),
    "requeue_in_doubt_on_restart": ("crash_after_call",),
    "answer_without_echo_believed": ("mute",),
    "last_word_not_the_last": ("after_the_last_word",),
    "doubt_is_thrown_away": ("renamed_profile",),
    "answers_not_compared_at_the_write": ("rename_before_read",),
    "renamed_record_keeps_the_answer": ("rename", "crm_halt"),
    "one_mailbox_two_names_unites": ("opt_out",),
    "opt_out_stays_with_the_record": ("opt_out",),
    "budget_starts_at_zero_after_a_rename": ("reconfigured",),
    "renamed_sync_leaves_its_work": ("reconfigured",),
    "changed_policy_not_noticed": ("reconfigured",),
    "refused_values_never_tried_again": ("rule",),
    "buying_goes_on_while_writes_are_refused": ("rule",),
    "selection_change_not_noticed": ("reconfigured", "move"),
    "renamed_provider_leaves_its_work": ("reconfigured",),
    "renamed_crm_leaves_its_contacts": ("reconfigured",),
    "renamed_provider_leaves_its_credits": ("reconfigured",),
    "answers_to_a_former_name_refused": ("reconfigured", "slow", "unheard"),
    "another_account_not_noticed": ("another_account",),
    "no_breaker": ("bad_gateway",),
    "no_look_before_a_purchase": ("edit", "delete", "no_way_in"),
    "cleared_value_written_again": ("reconfigured", "bounce"),
    "undecided_forgotten": ("reconfigured",),
    "undo_ignores_a_later_edit": ("edit",),
    "anybody_s_value_replaced": ("very_late", "edit"),
    "suppression_checked_at_the_plan_only": ("crm_halt", "rule"),
}

# Found in many histories only: what `make test` leaves to `make soak`.
RARE = {"no_breaker", "renamed_crm_leaves_its_contacts", "renamed_provider_leaves_its_work"}

FOUND_AT: dict[str, int] = {  # a seed whose history finds it within seconds, where that is not 1
    "accept_any_grade": 4,
    "accept_mismatch": 2,
    "ack_before_commit": 4,
    "ack_when_disk_full": 12,
    "another_account_not_noticed": 2,
    "answer_without_echo_believed": 3,
    "answers_not_compared_at_the_write": 2,
    "answers_to_a_former_name_refused": 2,
    "anybody_s_value_replaced": 86,
    "bought_before_a_confirmed_write": 3,
    "budget_forgets_what_is_in_doubt": 7,
    "budget_in_utc": 59,
    "budget_of_a_field_forgets_bulks": 59,
    "budget_of_a_month_counts_a_week": 18,
    "budget_of_a_provider_counts_nothing": 18,
    "budget_of_a_run_ignores_reserved": 22,
    "budget_of_a_sync_counts_nothing": 10,
    "budget_starts_at_zero_after_a_rename": 3,
    "bulk_all_or_nothing": 7,
    "buying_goes_on_while_writes_are_refused": 3,
    "careless_log": 2,
    "changed_policy_not_noticed": 10,
    "cleared_value_written_again": 20,
    "cursor_before_page": 6,
    "double_settle": 5,
    "doubt_is_believed": 11,
    "doubt_is_thrown_away": 4,
    "drop_early_callback": 4,
    "finds_age_like_misses": 7,
    "gate_ignored": 5,
    "halted_for_good": 4,
    "ignore_blocked": 33,
    "last_word_not_the_last": 5,
    "late_answer_ignored": 5,
    "mac_of_the_date_only": 3,
    "matched_by_position": 15,
    "no_look_before_a_purchase": 3,
    "no_recovery": 4,
    "one_mailbox_two_names_unites": 5,
    "refused_values_never_tried_again": 10,
    "renamed_provider_leaves_its_credits": 2,
    "renamed_record_keeps_the_answer": 19,
    "renamed_sync_leaves_its_work": 4,
    "resend_on_timeout": 3,
    "restore_unchecked": 33,
    "selection_change_not_noticed": 10,
    "share_without_person_lock": 2,
    "suppression_checked_at_the_plan_only": 3,
    "trust_any_mac": 3,
    "trust_any_signature": 13,
    "undecided_forgotten": 122,
    "undo_ignores_a_later_edit": 13,
    "write_again_at_once": 14,
}
