"""No call to a connector goes on for ever, and each ends with the error that says what is known of it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from typing import Any

import pytest

from syncd.contract.errors import Halt, InDoubt, Retry, Trouble
from syncd.contract.model import (
    Change,
    ContactRef,
    Delivery,
    Field,
    Finding,
    Page,
    Receipt,
    Selection,
    Snapshot,
    Source,
    Submission,
    WriteOutcome,
    WriteStatus,
)
from syncd.limits import limited
from tests.contract.fake_crm import FakeCrm
from tests.contract.fake_provider import FakeProvider

SOON = 0.05
ONE = Submission(id="s1", requests=(), callback_url="")
SELECTION = Selection(object="contacts", fields={})


class Dripping(FakeProvider):
    """Never comes to an end."""

    async def submit(self, submission: Submission) -> Receipt:
        await asyncio.Event().wait()
        raise AssertionError

    async def poll(self, submission: Submission) -> Delivery | None:
        await asyncio.Event().wait()
        raise AssertionError

    async def check(self) -> list[Finding]:
        await asyncio.Event().wait()
        raise AssertionError


class Standing(FakeCrm):
    """Gives a page, and then nothing more."""

    async def check(self, selections: Sequence[Selection]) -> list[Finding]:
        raise Halt("no key", trouble=Trouble.CREDENTIALS, cure="Give one.")

    async def pull(self, selection: Selection, cursor: Mapping[str, Any] | None) -> AsyncIterator[Page]:
        yield Page(contacts=(), cursor={})
        await asyncio.Event().wait()

    async def read(self, refs: Sequence[ContactRef], selection: Selection) -> list[Snapshot]:
        await asyncio.Event().wait()
        raise AssertionError

    async def write(self, changes: Sequence[Change], selection: Selection) -> list[WriteOutcome]:
        await asyncio.Event().wait()
        raise AssertionError


def ends(call: Callable[[], Awaitable[object]]) -> object:
    return asyncio.run(asyncio.wait_for(_called(call), 20))


async def _called(call: Callable[[], Awaitable[object]]) -> object:
    return await call()


def test_a_paid_call_that_never_ends_is_in_doubt() -> None:
    provider = limited(Dripping("ann"), call=SOON)
    with pytest.raises(InDoubt, match="ann did not come to an end in time"):
        ends(lambda: provider.submit(ONE))


def test_what_may_be_repeated_is_tried_again() -> None:
    provider, crm = limited(Dripping("ann"), call=SOON), limited(Standing("crm"), call=SOON)
    calls: list[Callable[[], Awaitable[object]]] = [
        lambda: provider.poll(ONE), provider.check, lambda: crm.read([], SELECTION)
    ]  # fmt: skip
    for call in calls:
        with pytest.raises(Retry, match="did not come to an end in time"):
            ends(call)


def test_a_write_that_never_ends_may_have_been_carried_out() -> None:
    crm = limited(Standing("crm"), call=SOON)
    ref = ContactRef(connection="crm", object="contacts", id="1")
    changes = [Change(ref=ref, field=Field.EMAIL, expected="", new="a@example.com")]
    outcomes = ends(lambda: crm.write(changes, SELECTION))
    assert isinstance(outcomes, list)
    assert [(one.ref, one.field, one.status) for one in outcomes] == [(ref, Field.EMAIL, WriteStatus.UNKNOWN)]


class Indirect(Standing):
    """Its pull is no generator itself, but returns one."""

    def pull(self, selection: Selection, cursor: Mapping[str, Any] | None) -> AsyncIterator[Page]:
        return super().pull(selection, cursor)


@pytest.mark.parametrize("kind", [Standing, Indirect])
def test_a_pull_that_stands_still_ends_after_the_pages_that_came(kind: type[Standing]) -> None:
    crm = limited(kind("crm"), page=SOON)
    pages = list[Page]()

    async def pull() -> None:
        async for page in crm.pull(SELECTION, None):
            pages.append(page)

    with pytest.raises(Retry):
        ends(pull)
    assert len(pages) == 1


def test_all_else_is_passed_on_as_it_is() -> None:
    provider, crm = FakeProvider("ann"), FakeCrm("crm")
    assert limited(provider).capabilities is provider.capabilities
    assert limited(provider).name == "ann"
    assert asyncio.run(limited(crm).check([])) == asyncio.run(crm.check([]))
    with pytest.raises(Halt, match="no key"):
        ends(lambda: limited(Standing("crm")).check([]))
    assert limited(provider).authenticate(Delivery(submission_id="s1", source=Source.POLL, body=b"")) is (
        provider.authenticate(Delivery(submission_id="s1", source=Source.POLL, body=b""))
    )
