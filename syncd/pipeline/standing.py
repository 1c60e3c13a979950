"""What of ours a property of the CRM holds, as far as the ledger knows, and how good it is."""

from __future__ import annotations

from syncd.config import Sync
from syncd.contract.model import Field, Grade
from syncd.ledger.cases import Case
from syncd.policy import values
from syncd.policy.replacing import Standing
from syncd.policy.values import Checks


def of(case: Case, sync: Sync | None, property_: str, checks: Checks) -> Standing | None:
    """The value that we wrote last for a field, to its `property_` or to another one; None where something else was
    seen there since."""
    ours = case.stands.get(_written_to(sync, case) or property_)
    if ours is None or (case.seen_at > ours.at and not _is_held(case, ours.value)):
        return None
    grade = _grade(case, ours.result_id, ours.value, checks)
    return Standing(value=ours.value, grade=grade, result_id=ours.result_id or 0)


def _written_to(sync: Sync | None, case: Case) -> str:
    """The property that a value was written to in place of the field's own, such as that for mobile numbers; or ""."""
    routed = case.job.destination if case.job is not None else ""
    place = sync.selection.writable.get(Field(routed)) if sync is not None and routed else None
    return place.property if place is not None and place.property in case.stands else ""


def _is_held(case: Case, value: str) -> bool:
    """Does the record hold this value, in whichever of its properties? Just before a write it is read once more."""
    known = case.identity
    held = (known.email, *known.emails, *known.phones, known.linkedin_url)
    return not case.lacks and any(one and values.same(case.field, one, value, known) for one in held)


def _grade(case: Case, result_id: int | None, value: str, checks: Checks) -> Grade:
    """How good the value is by what is looked at now, whatever was when it was written."""
    said = (one for heard in case.heard if heard.id == result_id for one in heard.result.candidates)
    same = next((one for one in said if values.same(case.field, one.value, value, case.identity)), None)
    return Grade.UNKNOWN if same is None else values.counted(case.field, same, case.identity, checks)[0]
