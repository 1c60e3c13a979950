"""May a value that we wrote be taken back, and was it? The judgement of an undo, pure.

It is taken back only while the CRM still holds it as we wrote it. Where somebody has changed it since, or a person has
confirmed it by writing the same again, it stays.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum

from syncd.contract.model import Author, Snapshot, Version
from syncd.frozen import frozen
from syncd.ledger.undos import ToUndo

from . import values
from .guard import Again, Check, Put, Restore
from .replacing import edited_since


class Outcome(StrEnum):
    """What an undo came to."""

    UNDONE = "undone"
    KEPT = "kept"
    GONE = "gone"


@frozen()
class End:
    """Nothing (more) to put back, and why."""

    outcome: Outcome
    note: str = ""


_CHANGED = End(Outcome.KEPT, "somebody has changed it since")
_CONFIRMED = End(Outcome.KEPT, "somebody has written the same value there since")


def before_undo(one: ToUndo, now_there: Snapshot) -> Put | Check | End:
    """Decide on a fresh snapshot, just before the write."""
    if now_there.current is None:
        return End(Outcome.GONE, "the contact is not there any more")
    if now_there.current != one.ref:
        return End(Outcome.KEPT, f"the contact was merged into {now_there.current}")
    value, versions = now_there.values.get(one.field, ""), now_there.versions.get(one.field, ())
    if one.begun and (found := _of_a_lost_answer(one, now_there, value, versions)) is not None:
        return found
    if not _same(one, value, one.ours):
        return _CHANGED
    if edited_since(one.read_before, versions, lambda text: _same(one, text, one.ours)):
        return _CONFIRMED
    newest = versions[0].at if versions else now_there.changed_at
    return Put(before=value, seen=one.seen if one.begun else newest, revision=now_there.revision)


def _of_a_lost_answer(one: ToUndo, now_there: Snapshot, value: str, versions: Sequence[Version]) -> Check | End | None:
    """An undo that was begun may have arrived. None: it has not."""
    if versions:
        arrived = any(_is_put_back(one, version, taken=False) for version in _since(one.seen, versions))
        return Check() if arrived else None
    if _same(one, value, one.back):
        return Check()
    if _same(one, value, one.ours) and now_there.changed_at != one.seen:
        return End(
            Outcome.KEPT, "the record was changed since an undo whose answer was lost: undo it again if it is ours"
        )
    return None


def after_undo(one: ToUndo, seen: str, now_there: Snapshot, *, taken: bool = False) -> End | Restore | Again:
    """Judge the snapshot that follows the write; `seen` is the newest stamp from before it. `taken`: the CRM has just
    said that it took our write, under whomever its history books it."""
    if now_there.current is None:
        return End(Outcome.GONE, "the contact went while the value was put back")
    value, versions = now_there.values.get(one.field, ""), now_there.versions.get(one.field, ())
    since = _since(seen, versions)
    if not versions:
        ours = next(iter([0] if _same(one, value, one.back) else []), None)
    else:
        ours = next((i for i, version in enumerate(since) if _is_put_back(one, version, taken=taken)), None)
    if ours is None:
        return Again() if _same(one, value, one.ours) else _CHANGED
    if ours > 0:
        return End(Outcome.KEPT, "somebody changed it right after it was put back")
    covered = since[1] if len(since) > 1 else None
    if covered is not None and not _same(one, covered.value, one.back):
        return Restore(covered.value)
    return End(Outcome.UNDONE)


def _since(seen: str, versions: Sequence[Version]) -> list[Version]:
    return [version for version in versions if version.at > seen]


def _is_put_back(one: ToUndo, version: Version, *, taken: bool) -> bool:
    return (taken or version.by is Author.MACHINE) and _same(one, version.value, one.back)


def _same(one: ToUndo, this: str, other: str) -> bool:
    return values.same(one.field, this, other, one.identity)
