"""What a read owes the pipeline: fresh values, their history, and who the record is about."""

from __future__ import annotations

from syncd.contract.model import Author, Field

from .crm_world import MAIL, OTHER_MAIL, OTHER_PHONE, PHONE, PROFILE, CrmWorld, Play, change, read, ref, status, write


class Reads:
    """Fresh values, just before and after a write."""

    def test_read_of_a_full_batch(self, play: Play) -> None:
        async def act(world: CrmWorld) -> None:
            count = world.crm.capabilities.read_batch
            records = [world.add(f"Person {number}", f"p{number}@example.com") for number in range(count)]
            snapshots = await read(world, *records)
            for number, record in enumerate(records):
                assert snapshots[record].values == {Field.EMAIL: f"p{number}@example.com"}
                assert snapshots[record].current == snapshots[record].ref

        play(act)

    def test_read_tells_elsewhere_from_the_property_itself(self, play: Play) -> None:
        async def act(world: CrmWorld) -> None:
            record = world.add("Mobile", mobile=PHONE)
            snapshot = (await read(world, record))[record]
            assert snapshot.values == {}
            assert snapshot.elsewhere == {Field.PHONE}

        play(act)

    def test_read_tells_who_the_record_is_about_now(self, play: Play) -> None:
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

    def test_read_of_who_is_gone_says_nothing_of_a_person(self, play: Play) -> None:
        async def act(world: CrmWorld) -> None:
            record = world.add("Gone", MAIL)
            world.remove(record)
            assert (await read(world, record))[record].identity is None

        play(act)

    def test_read_tells_an_opt_out_of_a_filled_field(self, play: Play) -> None:
        async def act(world: CrmWorld) -> None:
            quiet, other = world.add("Quiet", MAIL, PHONE), world.add("Other", OTHER_MAIL, OTHER_PHONE)
            reason = world.opt_out(quiet)
            snapshots = await read(world, quiet, other)
            assert snapshots[quiet].values[Field.EMAIL] == MAIL
            assert snapshots[quiet].blocked[Field.EMAIL] == reason
            assert snapshots[other].blocked == {}

        play(act)

    def test_read_of_extras(self, play: Play) -> None:
        async def act(world: CrmWorld) -> None:
            record = world.add("Mobile", mobile=PHONE)
            world.edit(record, Field.LINKEDIN, PROFILE)
            snapshot = (await read(world, record, selection=world.extended))[record]
            assert snapshot.values == {Field.MOBILE: PHONE, Field.LINKEDIN: PROFILE}
            assert (
                snapshot.elsewhere == frozenset()
            )  # the mobile number has its own place: the phone may be filled, too
            if world.crm.capabilities.history:
                assert [version.value for version in snapshot.versions[Field.MOBILE]] == [PHONE]

        play(act)

    def test_an_extra_that_a_person_cleared_is_blocked(self, play: Play) -> None:
        async def act(world: CrmWorld) -> None:
            if not world.crm.capabilities.history:
                return
            record = world.add("Shy", mobile=PHONE)
            world.edit(record, Field.MOBILE, "")
            snapshot = (await read(world, record, selection=world.extended))[record]
            assert snapshot.blocked == {Field.MOBILE: "cleared_by_person"}

        play(act)

    def test_read_of_who_is_gone(self, play: Play) -> None:
        async def act(world: CrmWorld) -> None:
            gone, here = world.add("Gone"), world.add("Here")
            world.remove(gone)
            snapshots = await read(world, gone, here)
            assert snapshots[gone].current is None
            assert snapshots[here].current == ref(world, here)

        play(act)

    def test_read_follows_a_merge(self, play: Play) -> None:
        async def act(world: CrmWorld) -> None:
            loser, winner = world.add("Ada"), world.add("Ada", MAIL)
            left = world.merge(loser, winner)
            snapshots = await read(world, loser, winner)
            assert [snapshots[record].current for record in (loser, winner)] == [ref(world, left)] * 2
            assert snapshots[loser].values == {Field.EMAIL: MAIL}

        play(act)

    def test_history_tells_people_from_machines(self, play: Play) -> None:
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

    def test_l26_where_no_history_of_a_field_is_told_it_shows_that_the_record_was_changed(self, play: Play) -> None:
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
