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
        arrived = any(_is_put_back(one, version) for version in _since(one.seen, versions))
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
    if not versions and _same(one, value, one.back):
        return End(Outcome.UNDONE)
    since = _since(seen, versions)
    place = _place_of_ours(one, since, taken=taken)
    if place is None:
        return Again() if _same(one, value, one.ours) else _CHANGED
    theirs = _theirs(one, since, place)
    if theirs is None or (place == 0 and _same(one, theirs.value, one.back)):
        return End(Outcome.UNDONE)
    if _same(one, theirs.value, value):
        return End(Outcome.KEPT, "somebody changed it while it was put back, or right after")
    return Restore(theirs.value)


def _place_of_ours(one: ToUndo, since: Sequence[Version], *, taken: bool) -> int | None:
    """Where our write stands, the newest first. Under another's name it is the oldest of its value."""
    back = [i for i, version in enumerate(since) if _same(one, version.value, one.back)]
    ours = [i for i in back if since[i].by is Author.MACHINE]
    if ours:
        return ours[0]
    return back[-1] if back and taken else None


def _theirs(one: ToUndo, since: Sequence[Version], place: int) -> Version | None:
    """The newest version of somebody else's. One that we put back is none: it can cover another edit, too."""
    for i, version in enumerate(since):
        again = any(_same(one, version.value, older.value) for older in since[i + 1 :])
        if i != place and not (version.by is Author.MACHINE and (again or _same(one, version.value, one.back))):
            return version
    return None


def _since(seen: str, versions: Sequence[Version]) -> list[Version]:
    return [version for version in versions if version.at > seen]


def _is_put_back(one: ToUndo, version: Version) -> bool:
    return version.by is Author.MACHINE and _same(one, version.value, one.back)


def _same(one: ToUndo, this: str, other: str) -> bool:
    return values.same(one.field, this, other, one.identity)
