"""What a write and a check owe the pipeline."""

from __future__ import annotations

from dataclasses import replace

from syncd.contract.model import ASKED, Author, Change, Field, FieldMap, Level, WriteStatus

from .crm_world import MAIL, OTHER_PHONE, PHONE, PROFILE, CrmWorld, Play, change, pulled, read, ref, status, write


class Writes:
    """Each change stands or falls alone."""

    def test_write_and_read_back(self, play: Play) -> None:
        async def act(world: CrmWorld) -> None:
            record, bystander = world.add("Somebody"), world.add("Bystander")
            both = [await change(world, record, Field.EMAIL, MAIL), await change(world, record, Field.PHONE, PHONE)]
            assert set((await status(world, *both)).values()) == {WriteStatus.WRITTEN}
            assert (await read(world, record))[record].values == {Field.EMAIL: MAIL, Field.PHONE: PHONE}
            assert (await read(world, bystander))[bystander].values == {}
            assert world.count() == 2

        play(act)

    def test_extras_are_written_beside_the_fields(self, play: Play) -> None:
        async def act(world: CrmWorld) -> None:
            record, bystander = world.add("Somebody"), world.add("Bystander")
            wanted = {Field.PHONE: PHONE, Field.MOBILE: OTHER_PHONE, Field.LINKEDIN: PROFILE}
            changes = [await change(world, record, field, value) for field, value in wanted.items()]
            assert set((await status(world, *changes)).values()) == {WriteStatus.WRITTEN}
            assert (await read(world, record, selection=world.extended))[record].values == wanted
            assert {field: world.held(record, field) for field in wanted} == wanted
            assert world.held(bystander, Field.MOBILE) == ""

        play(act)

    def test_an_extra_that_is_not_there_does_not_stop_the_others(self, play: Play) -> None:
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

    def test_write_clears(self, play: Play) -> None:
        async def act(world: CrmWorld) -> None:
            record = world.add("Somebody", MAIL, PHONE)
            await write(world, await change(world, record, Field.EMAIL, ""))
            assert (world.held(record, Field.EMAIL), world.held(record, Field.PHONE)) == ("", PHONE)

        play(act)

    def test_a_refused_email_does_not_stop_the_phone(self, play: Play) -> None:
        async def act(world: CrmWorld) -> None:
            record = world.add("Somebody")
            mail = await change(world, record, Field.EMAIL, world.refused_email)
            outcomes = await write(world, mail, await change(world, record, Field.PHONE, PHONE))
            assert outcomes[record, Field.EMAIL].status is WriteStatus.INVALID
            assert world.refused_email not in outcomes[record, Field.EMAIL].detail
            assert outcomes[record, Field.PHONE].status is WriteStatus.WRITTEN
            assert world.held(record, Field.PHONE) == PHONE

        play(act)

    def test_an_email_that_another_contact_holds(self, play: Play) -> None:
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

    def test_a_bad_record_does_not_stop_its_batch_mates(self, play: Play) -> None:
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

    def test_a_colleague_who_is_faster(self, play: Play) -> None:
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


class Checks:
    """What would go wrong is found without writing anything."""

    def test_check_is_content_with_a_good_selection(self, play: Play) -> None:
        async def act(world: CrmWorld) -> None:
            findings = await world.crm.check([world.selection])
            assert findings
            assert [finding for finding in findings if finding.level is Level.ERROR] == []

        play(act)

    def test_check_names_an_unknown_property_and_a_cure(self, play: Play) -> None:
        async def act(world: CrmWorld) -> None:
            selection = replace(world.selection, fields={Field.EMAIL: FieldMap(property="no_such_thing")})
            errors = [f for f in await world.crm.check([selection]) if f.level is Level.ERROR]
            assert any("no_such_thing" in error.what and error.cure for error in errors)
            assert world.count() == 0

        play(act)

    def test_c6_check_says_which_selection_a_finding_is_about(self, play: Play) -> None:
        async def act(world: CrmWorld) -> None:
            wrong = replace(world.selection, fields={Field.EMAIL: FieldMap(property="no_such_thing")})
            findings = await world.crm.check([world.selection, wrong])
            errors = [f for f in findings if f.level is Level.ERROR]
            assert {f.selection for f in errors} == {1}
            assert {f.at for f in errors} <= {"", "fields.email.property"}

        play(act)

    def test_check_warns_of_an_extra_that_is_not_there(self, play: Play) -> None:
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

    def test_check_sees_that_a_mapped_property_may_not_be_written(self, play: Play) -> None:
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

    def test_capabilities_are_sound(self, play: Play) -> None:
        async def act(world: CrmWorld) -> None:
            capabilities = world.crm.capabilities
            assert capabilities.title
            assert capabilities.read_batch > 0
            assert capabilities.write_batch > 0
            assert all(set(fields) == set(ASKED) for fields in capabilities.objects.values())

        play(act)
