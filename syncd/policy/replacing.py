"""May a value that stands in the CRM be replaced by another one? Pure.

Asked twice: when a find is judged, by what the ledger knows (`is_wanted`), and just before the write, by what the CRM
holds then and what its history says of it (`why_not`). A person's value is never replaced.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from syncd.config import WritePolicy
from syncd.contract.model import Author, Field, Grade, Identity, Version
from syncd.frozen import frozen
from syncd.ledger.writes import Written

from . import values

FILLED = "somebody filled it first"


@frozen(kw_only=True)
class Standing:
    """A value of ours that the CRM holds, as far as the ledger knows. `grade`: UNKNOWN where the answer that it is
    from is not kept any more; `result_id`: that answer."""

    value: str
    grade: Grade = Grade.UNKNOWN
    result_id: int = 0


@frozen(kw_only=True)
class Rule:
    """What may stand where a value is written. `ours`: what we have written to this property, the newest first.
    `refill`: a blank may be filled where a program has cleared ours."""

    policy: WritePolicy = WritePolicy.FILL_BLANK
    ours: tuple[Written, ...] = ()
    refill: bool = False

    @property
    def standing(self) -> Written | None:
        """The newest value of ours that was not put back."""
        return next((one for one in self.ours if one.stands), None)


FILL_BLANK = Rule()


def is_wanted(policy: WritePolicy, standing: Standing | None, grade: Grade, result_id: int) -> bool:
    """Is a find of this grade to replace what stands? `standing`: None where the value is not ours."""
    if policy is WritePolicy.BETTER:
        return values.RANK[grade] > values.RANK[standing.grade if standing else Grade.UNKNOWN]
    return policy is not WritePolicy.FILL_BLANK and standing is not None and result_id > standing.result_id


def why_not(rule: Rule, field: Field, value: str, versions: Sequence[Version], contact: Identity) -> str:
    """Why the value that a property holds now must stay, or ""."""
    if rule.policy is WritePolicy.FILL_BLANK:
        return FILLED
    ours = rule.standing
    if ours is not None and values.same(field, value, ours.value, contact):
        return _why_ours_stays(rule, ours, field, versions, contact)
    if rule.policy is WritePolicy.BETTER and versions:
        typed = any(version.by is Author.PERSON for version in versions)
        return "a person has written there" if typed else ""
    return "it holds a value that is not syncd's"


def _why_ours_stays(rule: Rule, ours: Written, field: Field, versions: Sequence[Version], contact: Identity) -> str:
    if edited_since(ours.seen, versions, lambda value: values.same(field, value, ours.value, contact)):
        return "somebody has written there since syncd did"
    if rule.policy is WritePolicy.OWN and any(_is_foreign(one.value, rule, field, contact) for one in versions):
        return "others have written there, and its policy is `own`"
    return ""


def _is_foreign(value: str, rule: Rule, field: Field, contact: Identity) -> bool:
    known = any(values.same(field, value, one.value, contact) for one in rule.ours)
    return bool(value.strip()) and not known


def edited_since(read_before: str, versions: Sequence[Version], is_ours: Callable[[str], bool]) -> bool:
    """Has anybody written there after us? Ours is the first version with our value since the read before our write
    (its newest stamp: `read_before`), whoever the history names for it. `versions`: newest first."""
    since = [version for version in versions if version.at > read_before]
    ours = next((i for i in reversed(range(len(since))) if is_ours(since[i].value)), None)
    newer = since[:ours] if ours is not None else versions[:1]
    return any(version.by is Author.PERSON or not is_ours(version.value) for version in newer)
