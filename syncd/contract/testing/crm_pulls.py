"""What a pull and a look owe the pipeline: whom they bring, whom they leave out, and how fresh it is."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from syncd.contract.errors import Unusable
from syncd.contract.model import OPT_OUTS, Change, Field, FieldMap, Level, WriteStatus

from .crm_world import (
    MAIL,
    OTHER_MAIL,
    OTHER_PHONE,
    PHONE,
    PROFILE,
    CrmWorld,
    Play,
    looked,
    pages,
    pulled,
    read,
    ref,
    write,
)


class Pulls:
    """Whoever lacks something is brought, freshly and from any cursor on."""

    def test_pull_yields_those_that_lack_something(self, play: Play) -> None:
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

    def test_pull_of_nobody_still_leaves_a_cursor(self, play: Play) -> None:
        async def act(world: CrmWorld) -> None:
            found = await pages(world)
            assert [page.contacts for page in found] == [()]
            new = world.add("New")
            world.settle()
            assert set(await pulled(world, found[-1].cursor)) == {new}

        play(act)

    def test_cursors_are_json_and_go_on_from_any_page(self, play: Play) -> None:
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

    def test_the_next_pull_finds_what_changed_since(self, play: Play) -> None:
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

    def test_values_are_fresh(self, play: Play) -> None:
        async def act(world: CrmWorld) -> None:
            filled, cleared = world.add("Filled"), world.add("Removed")
            world.settle()
            world.edit(filled, Field.EMAIL, MAIL)
            world.edit(filled, Field.PHONE, PHONE)
            world.remove(cleared)
            assert await pulled(world) == {}

        play(act)

    def test_a_change_changes_the_revision(self, play: Play) -> None:
        async def act(world: CrmWorld) -> None:
            record = world.add("Somebody")
            world.settle()
            before = (await pulled(world))[record].revision
            assert (await read(world, record))[record].revision == before
            world.edit(record, Field.EMAIL, MAIL)
            assert (await read(world, record))[record].revision != before

        play(act)

    def test_what_a_person_cleared_is_blocked(self, play: Play) -> None:
        async def act(world: CrmWorld) -> None:
            if not world.crm.capabilities.history:
                return
            record = world.add("Shy", MAIL, PHONE)
            world.edit(record, Field.EMAIL, "")
            world.settle()
            assert (await pulled(world))[record].blocked == {Field.EMAIL: "cleared_by_person"}
            assert (await read(world, record))[record].blocked == {Field.EMAIL: "cleared_by_person"}

        play(act)

    def test_what_a_person_cleared_is_blocked_after_we_have_put_it_back(self, play: Play) -> None:
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

    def test_pull_tells_of_who_opted_out_though_nothing_lacks(self, play: Play) -> None:
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

    def test_pull_tells_all_mailboxes_and_numbers(self, play: Play) -> None:
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

    def test_extras_are_not_pulled_for(self, play: Play) -> None:
        async def act(world: CrmWorld) -> None:
            complete, lacking = world.add("Complete", MAIL, PHONE), world.add("Lacking", OTHER_MAIL)
            world.settle()
            found = await pulled(world, selection=world.extended)
            assert set(found) == {lacking} != {complete}

        play(act)


class Looks:
    """Records that a pull has brought, read again."""

    def test_a_look_gives_what_a_pull_gives(self, play: Play) -> None:
        async def act(world: CrmWorld) -> None:
            lacking, other = world.add("Lacking"), world.add("Mail", MAIL)
            world.edit(other, Field.LINKEDIN, PROFILE)
            world.settle()
            for selection in (world.selection, world.extended):
                assert await looked(world, lacking, other, selection=selection) == await pulled(
                    world, selection=selection
                )
            assert set(await looked(world, other)) == {other}
            assert await world.crm.look([], world.selection) == []

        play(act)

    def test_a_look_is_fresh(self, play: Play) -> None:
        """No index, no cache: filled, cleared and opted out a moment ago."""

        async def act(world: CrmWorld) -> None:
            filled, cleared, quiet = (
                world.add("Filled"),
                world.add("Cleared", MAIL, PHONE),
                world.add("Quiet", OTHER_MAIL),
            )
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

    def test_who_is_gone_is_missing_in_a_look(self, play: Play) -> None:
        async def act(world: CrmWorld) -> None:
            deleted, loser, winner, here = (world.add(name) for name in ("Deleted", "Loser", "Winner", "Here"))
            world.settle()
            world.remove(deleted)
            left = world.merge(loser, winner)
            found = await looked(world, deleted, loser, winner, here)
            assert set(found) == {here} | ({winner} & {left})
            assert set(await looked(world, left)) == {left}

        play(act)

    def test_l06_who_does_not_match_any_more_is_missing_in_a_look(self, play: Play) -> None:
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

    def test_a_look_at_a_full_batch(self, play: Play) -> None:
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

    def test_l08_what_a_program_cleared_is_lacking_and_not_blocked(self, play: Play) -> None:
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

    def test_l27_an_also_property_that_is_hidden_stops_nobody(self, play: Play) -> None:
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

    def test_a_property_that_is_not_there_stops_its_own_selection_only(self, play: Play) -> None:
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

    def test_the_account_is_told_and_stays(self, play: Play) -> None:
        async def act(world: CrmWorld) -> None:
            told = await world.crm.account()
            assert told.strip() == told != ""
            world.add("Somebody")
            assert await world.crm.account() == told

        play(act)
