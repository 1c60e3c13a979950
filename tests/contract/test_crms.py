"""What every CRM owes the pipeline: the duties of the port, one by one, for each CRM in `crm_worlds`."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import replace
from typing import Any

import pytest

from syncd.contract.errors import Unusable
from syncd.contract.model import (
    ASKED,
    OPT_OUTS,
    Author,
    Change,
    Contact,
    ContactRef,
    Field,
    FieldMap,
    Level,
    Page,
    Selection,
    Snapshot,
    WriteOutcome,
    WriteStatus,
)
from tests.contract.crm_worlds import WORLDS, CrmWorld

MAIL, OTHER_MAIL = "ada@example.com", "grace@example.com"
PHONE, OTHER_PHONE = "+442079460123", "+442079460124"
PROFILE = "https://www.linkedin.com/in/ada-example"

Act = Callable[[CrmWorld], Awaitable[None]]
Play = Callable[[Act], None]


@pytest.fixture(params=WORLDS)
def play(request: pytest.FixtureRequest) -> Play:
    """Runs an act in a fresh world."""
    world: Callable[[], AbstractAsyncContextManager[CrmWorld]] = WORLDS[request.param]

    async def perform(act: Act) -> None:
        async with world() as stage:
            await act(stage)

    return lambda act: asyncio.run(perform(act))


async def pages(world: CrmWorld, cursor: Any = None, selection: Selection | None = None) -> list[Page]:
    return [page async for page in world.crm.pull(selection or world.selection, cursor)]


async def pulled(world: CrmWorld, cursor: Any = None, selection: Selection | None = None) -> dict[str, Contact]:
    return {contact.ref.id: contact for page in await pages(world, cursor, selection) for contact in page.contacts}


def ref(world: CrmWorld, record: str) -> ContactRef:
    return ContactRef(connection=world.crm.name, object=world.selection.object, id=record)


async def read(world: CrmWorld, *records: str, selection: Selection | None = None) -> dict[str, Snapshot]:
    snapshots = await world.crm.read([ref(world, record) for record in records], selection or world.selection)
    assert len(snapshots) == len(records)
    return {snapshot.ref.id: snapshot for snapshot in snapshots}


async def change(world: CrmWorld, record: str, field: Field, new: str) -> Change:
    """A decision on a fresh snapshot."""
    snapshot = (await read(world, record, selection=world.extended))[record]
    expected = snapshot.values.get(field, "")
    return Change(ref=ref(world, record), field=field, expected=expected, new=new, revision=snapshot.revision)


async def write(world: CrmWorld, *changes: Change) -> dict[tuple[str, Field], WriteOutcome]:
    outcomes = await world.crm.write(changes, world.extended)
    found = {(outcome.ref.id, outcome.field): outcome for outcome in outcomes}
    assert len(found) == len(outcomes) == len(changes)
    return found


async def status(world: CrmWorld, *changes: Change) -> dict[tuple[str, Field], WriteStatus]:
    return {key: outcome.status for key, outcome in (await write(world, *changes)).items()}


# --- pull ---------------------------------------------------------------------------------------


def test_pull_yields_those_that_lack_something(play: Play) -> None:
    async def act(world: CrmWorld) -> None:
        world.add("Complete", MAIL, PHONE)
        world.add("Reachable", OTHER_MAIL, mobile=PHONE)
        nothing, mail_only = world.add("Nothing"), world.add("Mail", "m@example.com")
        world.settle()
        found = await pulled(world)
        assert set(found) == {nothing, mail_only}
        assert found[nothing].values == {}
        assert found[mail_only].values == {Field.EMAIL: "m@example.com"}
        assert found[mail_only].identity.first_name in {None, "Mail"}
        assert found[mail_only].ref == ref(world, mail_only)
        assert found[mail_only].revision

    play(act)


def test_pull_of_nobody_still_leaves_a_cursor(play: Play) -> None:
    async def act(world: CrmWorld) -> None:
        found = await pages(world)
        assert [page.contacts for page in found] == [()]
        new = world.add("New")
        world.settle()
        assert set(await pulled(world, found[-1].cursor)) == {new}

    play(act)


def test_cursors_are_json_and_go_on_from_any_page(play: Play) -> None:
    async def act(world: CrmWorld) -> None:
        everybody = {world.add(f"Person {number}") for number in range(450)}
        world.settle()
        found = await pages(world)
        assert len(found) > 1
        cursor = json.loads(json.dumps(found[0].cursor))
        first, rest = {contact.ref.id for contact in found[0].contacts}, set(await pulled(world, cursor))
        assert first | rest == everybody
        assert len(rest) < len(everybody)
        assert sorted(c.ref.id for page in found for c in page.contacts) == sorted(everybody)

    play(act)


def test_the_next_pull_finds_what_changed_since(play: Play) -> None:
    async def act(world: CrmWorld) -> None:
        old = world.add("Old", MAIL, PHONE)
        world.add("Lacking")
        world.settle()
        cursor = (await pages(world))[-1].cursor
        world.settle()
        new = world.add("New")
        world.edit(old, Field.PHONE, "")
        world.settle()
        assert {old, new} <= set(await pulled(world, cursor))

    play(act)


def test_values_are_fresh(play: Play) -> None:
    async def act(world: CrmWorld) -> None:
        filled, cleared = world.add("Filled"), world.add("Removed")
        world.settle()
        world.edit(filled, Field.EMAIL, MAIL)
        world.edit(filled, Field.PHONE, PHONE)
        world.remove(cleared)
        assert await pulled(world) == {}

    play(act)


def test_a_change_changes_the_revision(play: Play) -> None:
    async def act(world: CrmWorld) -> None:
        record = world.add("Somebody")
        world.settle()
        before = (await pulled(world))[record].revision
        assert (await read(world, record))[record].revision == before
        world.edit(record, Field.EMAIL, MAIL)
        assert (await read(world, record))[record].revision != before

    play(act)


def test_what_a_person_cleared_is_blocked(play: Play) -> None:
    async def act(world: CrmWorld) -> None:
        if not world.crm.capabilities.history:
            return
        record = world.add("Shy", MAIL, PHONE)
        world.edit(record, Field.EMAIL, "")
        world.settle()
        assert (await pulled(world))[record].blocked == {Field.EMAIL: "cleared_by_person"}
        assert (await read(world, record))[record].blocked == {Field.EMAIL: "cleared_by_person"}

    play(act)


def test_what_a_person_cleared_is_blocked_after_we_have_put_it_back(play: Play) -> None:
    async def act(world: CrmWorld) -> None:
        if not world.crm.capabilities.history or world.crm.capabilities.conditional_write:
            return
        record = world.add("Shy", MAIL, PHONE)
        world.edit(record, Field.EMAIL, "")
        for expected, new in (("", "late@example.com"), ("late@example.com", "")):
            await write(world, Change(ref=ref(world, record), field=Field.EMAIL, expected=expected, new=new))
        world.settle()
        assert (await pulled(world))[record].blocked == {Field.EMAIL: "cleared_by_person"}
        assert (await read(world, record))[record].blocked == {Field.EMAIL: "cleared_by_person"}

    play(act)


def test_pull_tells_of_who_opted_out_though_nothing_lacks(play: Play) -> None:
    async def act(world: CrmWorld) -> None:
        gone_quiet, complete = world.add("Quiet", MAIL, PHONE), world.add("Complete", OTHER_MAIL, OTHER_PHONE)
        world.settle()
        assert await pulled(world) == {}
        cursor = (await pages(world))[-1].cursor
        world.settle()
        reason = world.opt_out(gone_quiet)
        world.settle()
        found = await pages(world, cursor)
        [contact] = [contact for page in found for contact in page.contacts]
        assert contact.ref.id == gone_quiet != complete
        assert contact.blocked[Field.EMAIL] == reason
        assert reason in OPT_OUTS
        assert contact.values == {Field.EMAIL: MAIL, Field.PHONE: PHONE}
        assert [page.stale for page in found] == [0] * len(found)

    play(act)


def test_pull_tells_all_mailboxes_and_numbers(play: Play) -> None:
    async def act(world: CrmWorld) -> None:
        full, empty = world.add("Full", MAIL, mobile=PHONE), world.add("Empty", "", OTHER_PHONE)
        world.edit(full, Field.LINKEDIN, PROFILE)
        world.opt_out(full)
        world.settle()
        found = await pulled(world, selection=world.extended)
        assert (found[full].identity.email, found[full].identity.emails) == (MAIL, (MAIL,))
        assert found[full].identity.phones == (PHONE,)
        assert (found[empty].identity.email, found[empty].identity.emails) == (None, ())
        assert found[empty].identity.phones == (OTHER_PHONE,)

    play(act)


def test_extras_are_not_pulled_for(play: Play) -> None:
    async def act(world: CrmWorld) -> None:
        complete, lacking = world.add("Complete", MAIL, PHONE), world.add("Lacking", OTHER_MAIL)
        world.settle()
        found = await pulled(world, selection=world.extended)
        assert set(found) == {lacking} != {complete}

    play(act)


# --- look ---------------------------------------------------------------------------------------


async def looked(world: CrmWorld, *records: str, selection: Selection | None = None) -> dict[str, Contact]:
    found = await world.crm.look([ref(world, record) for record in records], selection or world.selection)
    assert len({contact.ref for contact in found}) == len(found)
    assert {contact.ref for contact in found} <= {ref(world, record) for record in records}
    return {contact.ref.id: contact for contact in found}


def test_a_look_gives_what_a_pull_gives(play: Play) -> None:
    async def act(world: CrmWorld) -> None:
        lacking, other = world.add("Lacking"), world.add("Mail", MAIL)
        world.edit(other, Field.LINKEDIN, PROFILE)
        world.settle()
        for selection in (world.selection, world.extended):
            assert await looked(world, lacking, other, selection=selection) == await pulled(world, selection=selection)
        assert set(await looked(world, other)) == {other}
        assert await world.crm.look([], world.selection) == []

    play(act)


def test_a_look_is_fresh(play: Play) -> None:
    """No index, no cache: filled, cleared and opted out a moment ago."""

    async def act(world: CrmWorld) -> None:
        filled, cleared, quiet = world.add("Filled"), world.add("Cleared", MAIL, PHONE), world.add("Quiet", OTHER_MAIL)
        world.settle()
        await pulled(world)
        world.edit(filled, Field.EMAIL, "f@example.com")
        world.edit(filled, Field.PHONE, PHONE)
        world.edit(cleared, Field.EMAIL, "")
        reason = world.opt_out(quiet)
        found = await looked(world, filled, cleared, quiet)
        assert found[filled].values == {Field.EMAIL: "f@example.com", Field.PHONE: PHONE}
        assert found[cleared].values == {Field.PHONE: PHONE}
        by_whom = {Field.EMAIL: "cleared_by_person"} if world.crm.capabilities.history else {}
        assert found[cleared].blocked == by_whom
        assert found[quiet].blocked[Field.EMAIL] == reason
        assert found[filled].revision == (await read(world, filled))[filled].revision

    play(act)


def test_who_is_gone_is_missing_in_a_look(play: Play) -> None:
    async def act(world: CrmWorld) -> None:
        deleted, loser, winner, here = (world.add(name) for name in ("Deleted", "Loser", "Winner", "Here"))
        world.settle()
        world.remove(deleted)
        left = world.merge(loser, winner)
        found = await looked(world, deleted, loser, winner, here)
        assert set(found) == {here} | ({winner} & {left})
        assert set(await looked(world, left)) == {left}

    play(act)


def test_l06_who_does_not_match_any_more_is_missing_in_a_look(play: Play) -> None:
    """Each kind of term; what lacks nothing any more is in the selection all the same."""

    async def act(world: CrmWorld) -> None:
        for term, (match, choose) in world.conditions().items():
            leaves, stays, filled = (world.add(name) for name in ("Leaves", "Stays", "Filled"))
            for record in (leaves, stays, filled):
                choose(record, True)
            world.settle()
            selection = replace(world.selection, match=match)
            everybody = {leaves, stays, filled}
            assert everybody <= set(await pulled(world, selection=selection)), term
            assert set(await looked(world, *everybody, selection=selection)) == everybody, term
            choose(leaves, False)
            world.edit(filled, Field.PHONE, PHONE)
            world.edit(filled, Field.EMAIL, f"{term.lower()}@example.com")
            world.settle()
            assert set(await looked(world, *everybody, selection=selection)) == {stays, filled}, term

    play(act)


def test_a_look_at_a_full_batch(play: Play) -> None:
    async def act(world: CrmWorld) -> None:
        count = min(world.crm.capabilities.read_batch, 900)
        records = [world.add(f"Person {number}") for number in range(count)]
        match, choose = list(world.conditions().values())[-1]
        for record in records[1:]:
            choose(record, True)
        world.settle()
        found = await looked(world, *records, selection=replace(world.selection, match=match))
        assert set(found) == set(records[1:])

    play(act)


def test_l08_what_a_program_cleared_is_lacking_and_not_blocked(play: Play) -> None:
    async def act(world: CrmWorld) -> None:
        record = world.add("Bounced", MAIL, PHONE)
        world.settle()
        cursor = (await pages(world))[-1].cursor
        world.clear_by_program(record)
        world.settle()
        for found in (await pulled(world, cursor), await looked(world, record)):
            assert found[record].values == {Field.PHONE: PHONE}
            assert found[record].blocked == {}
        assert (await read(world, record))[record].blocked == {}

    play(act)


def test_l27_an_also_property_that_is_hidden_stops_nobody(play: Play) -> None:
    async def act(world: CrmWorld) -> None:
        record = world.add("Hidden", MAIL, mobile=PHONE)
        world.settle()
        assert await pulled(world) == {}
        world.hide_mobile()
        findings = await world.crm.check([world.selection])
        assert not [one for one in findings if one.level is Level.ERROR]
        [warning] = [one for one in findings if one.level is Level.WARNING and "obile" in one.what]
        assert warning.cure
        found = await pulled(world)
        assert found[record].values == {Field.EMAIL: MAIL}
        assert (await looked(world, record))[record].values == {Field.EMAIL: MAIL}
        snapshot = (await read(world, record))[record]
        assert (snapshot.values, snapshot.elsewhere) == ({Field.EMAIL: MAIL}, frozenset())
        change_ = Change(
            ref=ref(world, record), field=Field.PHONE, expected="", new=OTHER_PHONE, revision=snapshot.revision
        )
        outcomes = await world.crm.write([change_], world.selection)
        assert [one.status for one in outcomes] == [WriteStatus.WRITTEN]

    play(act)


def test_a_property_that_is_not_there_stops_its_own_selection_only(play: Play) -> None:
    async def act(world: CrmWorld) -> None:
        record = world.add("Somebody")
        world.settle()
        broken = replace(world.selection, fields={Field.EMAIL: FieldMap(property="no_such_thing")})
        with pytest.raises(Unusable, match="no_such_thing") as caught:
            await pulled(world, selection=broken)
        assert caught.value.cure
        with pytest.raises(Unusable):
            await looked(world, record, selection=broken)
        assert set(await pulled(world)) == {record}

    play(act)


def test_the_account_is_told_and_stays(play: Play) -> None:
    async def act(world: CrmWorld) -> None:
        told = await world.crm.account()
        assert told.strip() == told != ""
        world.add("Somebody")
        assert await world.crm.account() == told

    play(act)


# --- read ---------------------------------------------------------------------------------------


def test_read_of_a_full_batch(play: Play) -> None:
    async def act(world: CrmWorld) -> None:
        count = world.crm.capabilities.read_batch
        records = [world.add(f"Person {number}", f"p{number}@example.com") for number in range(count)]
        snapshots = await read(world, *records)
        for number, record in enumerate(records):
            assert snapshots[record].values == {Field.EMAIL: f"p{number}@example.com"}
            assert snapshots[record].current == snapshots[record].ref

    play(act)


def test_read_tells_elsewhere_from_the_property_itself(play: Play) -> None:
    async def act(world: CrmWorld) -> None:
        record = world.add("Mobile", mobile=PHONE)
        snapshot = (await read(world, record))[record]
        assert snapshot.values == {}
        assert snapshot.elsewhere == {Field.PHONE}

    play(act)


def test_read_tells_who_the_record_is_about_now(play: Play) -> None:
    async def act(world: CrmWorld) -> None:
        record, bystander = world.add("Ada", MAIL, PHONE), world.add("Bea")
        before = (await read(world, record))[record].identity
        assert before is not None
        assert before.first_name == "Ada"
        assert (before.email, before.emails, before.phones) == (MAIL, (MAIL,), (PHONE,))
        world.rename(record, "Grace", "Hopper")
        world.edit(record, Field.EMAIL, OTHER_MAIL)
        snapshots = await read(world, record, bystander)
        after, other = snapshots[record].identity, snapshots[bystander].identity
        assert after is not None
        assert other is not None
        assert (after.first_name, after.last_name, after.emails) == ("Grace", "Hopper", (OTHER_MAIL,))
        assert (other.first_name, other.emails, other.phones) == ("Bea", (), ())

    play(act)


def test_read_of_who_is_gone_says_nothing_of_a_person(play: Play) -> None:
    async def act(world: CrmWorld) -> None:
        record = world.add("Gone", MAIL)
        world.remove(record)
        assert (await read(world, record))[record].identity is None

    play(act)


def test_read_tells_an_opt_out_of_a_filled_field(play: Play) -> None:
    async def act(world: CrmWorld) -> None:
        quiet, other = world.add("Quiet", MAIL, PHONE), world.add("Other", OTHER_MAIL, OTHER_PHONE)
        reason = world.opt_out(quiet)
        snapshots = await read(world, quiet, other)
        assert snapshots[quiet].values[Field.EMAIL] == MAIL
        assert snapshots[quiet].blocked[Field.EMAIL] == reason
        assert snapshots[other].blocked == {}

    play(act)


def test_read_of_extras(play: Play) -> None:
    async def act(world: CrmWorld) -> None:
        record = world.add("Mobile", mobile=PHONE)
        world.edit(record, Field.LINKEDIN, PROFILE)
        snapshot = (await read(world, record, selection=world.extended))[record]
        assert snapshot.values == {Field.MOBILE: PHONE, Field.LINKEDIN: PROFILE}
        assert snapshot.elsewhere == frozenset()  # the mobile number has its own place: the phone may be filled, too
        if world.crm.capabilities.history:
            assert [version.value for version in snapshot.versions[Field.MOBILE]] == [PHONE]

    play(act)


def test_an_extra_that_a_person_cleared_is_blocked(play: Play) -> None:
    async def act(world: CrmWorld) -> None:
        if not world.crm.capabilities.history:
            return
        record = world.add("Shy", mobile=PHONE)
        world.edit(record, Field.MOBILE, "")
        snapshot = (await read(world, record, selection=world.extended))[record]
        assert snapshot.blocked == {Field.MOBILE: "cleared_by_person"}

    play(act)


def test_read_of_who_is_gone(play: Play) -> None:
    async def act(world: CrmWorld) -> None:
        gone, here = world.add("Gone"), world.add("Here")
        world.remove(gone)
        snapshots = await read(world, gone, here)
        assert snapshots[gone].current is None
        assert snapshots[here].current == ref(world, here)

    play(act)


def test_read_follows_a_merge(play: Play) -> None:
    async def act(world: CrmWorld) -> None:
        loser, winner = world.add("Ada"), world.add("Ada", MAIL)
        left = world.merge(loser, winner)
        snapshots = await read(world, loser, winner)
        assert [snapshots[record].current for record in (loser, winner)] == [ref(world, left)] * 2
        assert snapshots[loser].values == {Field.EMAIL: MAIL}

    play(act)


def test_history_tells_people_from_machines(play: Play) -> None:
    async def act(world: CrmWorld) -> None:
        if not world.crm.capabilities.history:
            return
        record = world.add("Somebody", MAIL)
        assert await status(world, await change(world, record, Field.EMAIL, OTHER_MAIL))
        world.settle()
        world.edit(record, Field.EMAIL, "third@example.com")
        versions = (await read(world, record))[record].versions[Field.EMAIL]
        assert [(version.value, version.by) for version in versions] == [
            ("third@example.com", Author.PERSON),
            (OTHER_MAIL, Author.MACHINE),
            (MAIL, Author.PERSON),
        ]
        assert [version.at for version in versions] == sorted((version.at for version in versions), reverse=True)

    play(act)


def test_l26_where_no_history_of_a_field_is_told_it_shows_that_the_record_was_changed(play: Play) -> None:
    async def act(world: CrmWorld) -> None:
        record = world.add("Somebody")
        world.settle()
        before = (await read(world, record))[record]
        if before.changed_at == "":
            assert world.crm.capabilities.history
            return
        assert (await read(world, record))[record].changed_at == before.changed_at
        await write(world, await change(world, record, Field.EMAIL, MAIL))
        world.settle()
        ours = (await read(world, record))[record]
        world.edit(record, Field.EMAIL, "")
        theirs = (await read(world, record))[record]
        assert (ours.values, theirs.values) == ({Field.EMAIL: MAIL}, {})
        assert before.changed_at < ours.changed_at < theirs.changed_at

    play(act)


# --- write --------------------------------------------------------------------------------------


def test_write_and_read_back(play: Play) -> None:
    async def act(world: CrmWorld) -> None:
        record, bystander = world.add("Somebody"), world.add("Bystander")
        both = [await change(world, record, Field.EMAIL, MAIL), await change(world, record, Field.PHONE, PHONE)]
        assert set((await status(world, *both)).values()) == {WriteStatus.WRITTEN}
        assert (await read(world, record))[record].values == {Field.EMAIL: MAIL, Field.PHONE: PHONE}
        assert (await read(world, bystander))[bystander].values == {}
        assert world.count() == 2

    play(act)


def test_extras_are_written_beside_the_fields(play: Play) -> None:
    async def act(world: CrmWorld) -> None:
        record, bystander = world.add("Somebody"), world.add("Bystander")
        wanted = {Field.PHONE: PHONE, Field.MOBILE: OTHER_PHONE, Field.LINKEDIN: PROFILE}
        changes = [await change(world, record, field, value) for field, value in wanted.items()]
        assert set((await status(world, *changes)).values()) == {WriteStatus.WRITTEN}
        assert (await read(world, record, selection=world.extended))[record].values == wanted
        assert {field: world.held(record, field) for field in wanted} == wanted
        assert world.held(bystander, Field.MOBILE) == ""

    play(act)


def test_an_extra_that_is_not_there_does_not_stop_the_others(play: Play) -> None:
    async def act(world: CrmWorld) -> None:
        record = world.add("Somebody")
        selection = replace(world.selection, extras={Field.MOBILE: FieldMap(property="no_such_thing")})
        wanted = {Field.PHONE: PHONE, Field.MOBILE: OTHER_PHONE}
        revision = (await read(world, record, selection=selection))[record].revision
        changes = [
            Change(ref=ref(world, record), field=field, expected="", new=value, revision=revision)
            for field, value in wanted.items()
        ]
        outcomes = {outcome.field: outcome.status for outcome in await world.crm.write(changes, selection)}
        assert outcomes == {Field.PHONE: WriteStatus.WRITTEN, Field.MOBILE: WriteStatus.REFUSED}
        assert world.held(record, Field.PHONE) == PHONE

    play(act)


def test_write_clears(play: Play) -> None:
    async def act(world: CrmWorld) -> None:
        record = world.add("Somebody", MAIL, PHONE)
        await write(world, await change(world, record, Field.EMAIL, ""))
        assert (world.held(record, Field.EMAIL), world.held(record, Field.PHONE)) == ("", PHONE)

    play(act)


def test_a_refused_email_does_not_stop_the_phone(play: Play) -> None:
    async def act(world: CrmWorld) -> None:
        record = world.add("Somebody")
        mail = await change(world, record, Field.EMAIL, world.refused_email)
        outcomes = await write(world, mail, await change(world, record, Field.PHONE, PHONE))
        assert outcomes[record, Field.EMAIL].status is WriteStatus.INVALID
        assert world.refused_email not in outcomes[record, Field.EMAIL].detail
        assert outcomes[record, Field.PHONE].status is WriteStatus.WRITTEN
        assert world.held(record, Field.PHONE) == PHONE

    play(act)


def test_an_email_that_another_contact_holds(play: Play) -> None:
    async def act(world: CrmWorld) -> None:
        holder, record = world.add("Holder", MAIL), world.add("Somebody")
        mail, phone = (
            await change(world, record, Field.EMAIL, MAIL),
            await change(world, record, Field.PHONE, PHONE),
        )
        outcomes = await write(world, mail, phone)
        assert outcomes[record, Field.EMAIL].status is WriteStatus.DUPLICATE
        assert outcomes[record, Field.EMAIL].holder in {holder, None}
        assert outcomes[record, Field.PHONE].status is WriteStatus.WRITTEN
        assert world.held(record, Field.EMAIL) == ""

    play(act)


def test_a_bad_record_does_not_stop_its_batch_mates(play: Play) -> None:
    async def act(world: CrmWorld) -> None:
        count = world.crm.capabilities.write_batch
        records = [world.add(f"Person {number}") for number in range(count)]
        changes = [
            Change(ref=ref(world, record), field=Field.EMAIL, expected="", new=f"p{number}@example.com")
            for number, record in enumerate(records)
        ]
        if world.crm.capabilities.conditional_write:  # where the revision counts, it must be right
            read_batch = world.crm.capabilities.read_batch
            chunks = [records[start : start + read_batch] for start in range(0, count, read_batch)]
            snapshots = {k: v for chunk in chunks for k, v in (await read(world, *chunk)).items()}
            changes = [replace(one, revision=snapshots[one.ref.id].revision) for one in changes]
        changes[3] = replace(changes[3], new=world.refused_email)
        world.remove(records[7])
        found = await status(world, *changes)
        odd = {key: value for key, value in found.items() if value is not WriteStatus.WRITTEN}
        assert odd == {
            (records[3], Field.EMAIL): WriteStatus.INVALID,
            (records[7], Field.EMAIL): WriteStatus.GONE,
        }
        assert world.held(records[99], Field.EMAIL) == "p99@example.com"

    play(act)


def test_a_colleague_who_is_faster(play: Play) -> None:
    """Where the CRM compares, the colleague's value stays; elsewhere the history must show it."""

    async def act(world: CrmWorld) -> None:
        record = world.add("Somebody")
        phone = await change(world, record, Field.PHONE, PHONE)
        world.settle()
        world.edit(record, Field.PHONE, OTHER_PHONE)
        world.settle()
        found = await status(world, phone)
        if world.crm.capabilities.conditional_write:
            assert found == {(record, Field.PHONE): WriteStatus.MOVED_ON}
            assert world.held(record, Field.PHONE) == OTHER_PHONE
        else:
            versions = (await read(world, record))[record].versions[Field.PHONE]
            assert [(v.value, v.by) for v in versions] == [(PHONE, Author.MACHINE), (OTHER_PHONE, Author.PERSON)]

    play(act)


# --- check --------------------------------------------------------------------------------------


def test_check_is_content_with_a_good_selection(play: Play) -> None:
    async def act(world: CrmWorld) -> None:
        findings = await world.crm.check([world.selection])
        assert findings
        assert [finding for finding in findings if finding.level is Level.ERROR] == []

    play(act)


def test_check_names_an_unknown_property_and_a_cure(play: Play) -> None:
    async def act(world: CrmWorld) -> None:
        selection = replace(world.selection, fields={Field.EMAIL: FieldMap(property="no_such_thing")})
        errors = [f for f in await world.crm.check([selection]) if f.level is Level.ERROR]
        assert any("no_such_thing" in error.what and error.cure for error in errors)
        assert world.count() == 0

    play(act)


def test_c6_check_says_which_selection_a_finding_is_about(play: Play) -> None:
    async def act(world: CrmWorld) -> None:
        wrong = replace(world.selection, fields={Field.EMAIL: FieldMap(property="no_such_thing")})
        findings = await world.crm.check([world.selection, wrong])
        errors = [f for f in findings if f.level is Level.ERROR]
        assert {f.selection for f in errors} == {1}
        assert {f.at for f in errors} <= {"", "fields.email.property"}

    play(act)


def test_check_warns_of_an_extra_that_is_not_there(play: Play) -> None:
    async def act(world: CrmWorld) -> None:
        assert not [f for f in await world.crm.check([world.extended]) if f.level is Level.ERROR]
        selection = replace(world.selection, extras={Field.MOBILE: FieldMap(property="no_such_thing")})
        findings = await world.crm.check([selection])
        assert not [f for f in findings if f.level is Level.ERROR]
        [warning] = [f for f in findings if "no_such_thing" in f.what]
        assert warning.level is Level.WARNING
        assert warning.cure
        world.add("Somebody")
        world.settle()
        assert len(await pulled(world, selection=selection)) == 1

    play(act)


def test_check_sees_that_a_mapped_property_may_not_be_written(play: Play) -> None:
    """Without having written anything; it is a matter of the right, so neither an outage nor the end of reading."""

    async def act(world: CrmWorld) -> None:
        world.forbid()
        [error] = [f for f in await world.crm.check([world.selection]) if f.level is Level.ERROR]
        assert error.cure
        assert (error.passing, error.trouble) == (False, None)
        world.forbid(forbidden=False)
        assert [f for f in await world.crm.check([world.selection]) if f.level is Level.ERROR] == []
        assert world.count() == 0

    play(act)


def test_capabilities_are_sound(play: Play) -> None:
    async def act(world: CrmWorld) -> None:
        capabilities = world.crm.capabilities
        assert capabilities.title
        assert capabilities.read_batch > 0
        assert capabilities.write_batch > 0
        assert all(set(fields) == set(ASKED) for fields in capabilities.objects.values())

    play(act)
