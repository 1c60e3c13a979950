"""What may be replaced, judged on what the sandbox's HubSpot and Salesforce tell, property by property, and carried out
by the connectors: write a value of ours, let somebody act, and try to replace it as the pipeline does."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial

import pytest

from syncd.config import WritePolicy
from syncd.contract.model import ASKED, Change, ContactRef, Field, Selection, WriteStatus
from syncd.contract.ports import Crm
from syncd.ledger.states import JobState
from syncd.ledger.writes import ToWrite, Written
from syncd.policy.guard import End, Put, after_write, before_write
from syncd.policy.replacing import Rule

from . import test_hubspot_sandbox as hubspot
from . import test_salesforce_sandbox as salesforce

OURS = {Field.EMAIL: "found@example.com", Field.PHONE: "+442079460123"}
NEWER = {Field.EMAIL: "newer@example.com", Field.PHONE: "+442079460456"}
THEIRS = {Field.EMAIL: "typed@example.com", Field.PHONE: "+442079460789"}
REPLACING = [WritePolicy.OWN, WritePolicy.OVERWRITE_OWN, WritePolicy.BETTER]
Edit = Callable[[str], None]  # somebody sets the property


async def tried(
    crm: Crm, ref: ContactRef, selection: Selection, field: Field, policy: WritePolicy, act: Callable[[], None]
) -> tuple[str, str]:
    """Why a newer find was not written ("" where it was), and what stands then."""
    name = selection.fields[field].property
    [before] = await crm.read([ref], selection)
    versions = before.versions.get(field, ())
    seen = versions[0].at if versions else before.changed_at
    [first] = await crm.write([Change(ref=ref, field=field, expected="", new=OURS[field])], selection)
    assert first.status is WriteStatus.WRITTEN
    act()
    job = ToWrite(
        job_id=1,
        contact_id=1,
        state=JobState.ACCEPTED,
        ref=ref,
        field=field,
        asked=field,
        value=NEWER[field],
        accepted_at=0,
    )
    [there] = await crm.read([ref], selection)
    if there.identity is not None:
        job = replace(job, identity=there.identity)
    rule = Rule(policy=policy, ours=(Written(name, OURS[field], seen, stands=True),))
    put = before_write(job, there, rule)
    why = put.note if isinstance(put, End) else ""
    if isinstance(put, Put):
        change = Change(ref=ref, field=field, expected=put.before, new=job.value, revision=put.revision)
        [outcome] = await crm.write([change], selection)
        assert outcome.status is WriteStatus.WRITTEN
        [there] = await crm.read([ref], selection)
        assert isinstance(after_write(job, put.seen, there, taken=True), End)
    [there] = await crm.read([ref], selection)
    return why, there.values.get(field, "")


def acts(edit: Edit, what: str, field: Field) -> None:
    """What somebody does in the meantime; stamps may be whole seconds, which pass in five milliseconds."""
    texts = {
        "nothing": [],
        "typed": [THEIRS[field]],
        "confirmed": [THEIRS[field], OURS[field]],
        "cleared": [""],
    }
    for text in texts[what]:
        time.sleep(0.02)
        edit(text)


@pytest.mark.parametrize("field", ASKED)
@pytest.mark.parametrize("what", ["nothing", "typed", "confirmed", "cleared"])
def test_hubspot_tells_whose_a_value_is(field: Field, what: str) -> None:
    async def act(stage: hubspot.Stage) -> None:
        name = hubspot.SELECTION.fields[field].property
        for policy in REPLACING:
            ada = stage.vendor.portal.add({"firstname": "Ada", "lastname": "Test"})
            ref = ContactRef(connection="hubspot-eu", object="contacts", id=str(ada))
            edit = partial(stage.vendor.portal.human_edit, ada, name)
            done = partial(acts, edit, what, field)
            why, now = await tried(stage.crm, ref, hubspot.SELECTION, field, policy, done)
            expected = {"nothing": NEWER, "typed": THEIRS, "confirmed": OURS}.get(what, {}).get(field, "")
            assert (now, bool(why)) == (expected, what != "nothing"), policy
            stage.vendor.portal.archive(ada)

    hubspot.play(act)


@pytest.mark.parametrize("field", ASKED)
@pytest.mark.parametrize("tracked", [(), ("Email", "Phone")])
@pytest.mark.parametrize("what", ["nothing", "typed", "confirmed", "cleared"])
def test_in_salesforce_only_what_we_wrote_is_replaced(field: Field, what: str, tracked: tuple[str, ...]) -> None:
    async def act(stage: salesforce.Stage) -> None:
        name = salesforce.CONTACTS.fields[field].property
        bo = stage.vendor.org.add("Contact", {"LastName": "Test"})
        stage.vendor.org.human_edit(bo, name, THEIRS[field])  # a first row shows that the field is tracked
        for policy in REPLACING:
            ada = stage.vendor.org.add("Contact", {"FirstName": "Ada", "LastName": "Test"})
            ref = salesforce.ref(ada, salesforce.CONTACTS)
            edit = partial(stage.vendor.org.human_edit, ada, name)
            done = partial(acts, edit, what, field)
            why, now = await tried(stage.crm, ref, salesforce.CONTACTS, field, policy, done)
            kept = what in ("typed", "cleared") or (what == "confirmed" and tracked)
            expected = {"typed": THEIRS, "cleared": {}}.get(what, OURS).get(field, "") if kept else NEWER[field]
            assert (now, bool(why)) == (expected, bool(kept)), policy
            stage.vendor.org.delete(ada)

    salesforce.play(act, tracked_fields=tracked)
