"""Carrying out changes: look, decide, send under a condition, and look again at what did not go through.

Every round reads all records that are still open in one call, and sends only to those that stand as the
change expects them; what Salesforce sends back for a moment (a lock, a newer stamp, a refused field beside a
good one) is open for the next round. How updates are sent is said in `batches`, what refusals mean in `faults`.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import chain

from syncd.contract.errors import Halt, InDoubt, Retry, Trouble, Unusable
from syncd.contract.model import Change, ContactRef, Field, Selection, Snapshot, WriteOutcome, WriteStatus
from syncd.contract.pacing import Clock

from . import faults
from .answers import seconds
from .batches import Batches, Result, Update
from .calls import THREADS, Calls
from .faults import Fault
from .org import Org
from .records import STAMP, Lens, Record, text, to18

WRITE_CHUNK = 2_000  # records: one look and 80 guarded calls
OLD_ENOUGH = 2.0  # seconds: stamps have no fractions, so a younger record could change and keep its stamp
ROUNDS = 6
LOCKS = 4  # tries for a record that others hold
MOVES = 2  # a record that changes under our hands twice goes back to whoever decided
_OF_THE_VALUE = {WriteStatus.INVALID, WriteStatus.REFUSED, WriteStatus.DUPLICATE}
LIMITS = {"email": 80, "phone": 40}  # characters, where the describe tells none

Part = dict[str, list[Change]]  # by Salesforce's field; the last change is the one that is sent


@dataclass(slots=True, eq=False)
class Target:
    """One record, and the parts of its update still to be sent, one after the other."""

    id: str
    ref: ContactRef
    parts: list[Part]  # an empty one carries only what is set along
    stamp: float = 0.0
    account: str = ""
    locks: int = 0
    moves: int = 0
    wait: float = 0.0  # seconds until another look makes sense
    closed: str = ""  # why Salesforce would not write a field of the first part at all
    along: dict[str, str] = field(default_factory=dict)  # set with each part, if it can be

    @property
    def update(self) -> Update:
        values = {name: changes[-1].new for name, changes in self.parts[0].items()}
        return Update(self.id, {**self.along, **values}, self.stamp)

    @property
    def changes(self) -> list[Change]:
        return [change for part in self.parts for changes in part.values() for change in changes]


@dataclass(slots=True)
class Writing:
    """One `write`. `run` it once."""

    calls: Calls
    org: Org
    batches: Batches
    clock: Clock
    rng: random.Random
    selection: Selection
    _outcomes: dict[tuple[ContactRef, Field], WriteOutcome] = field(default_factory=dict)
    _open: dict[str, Target] = field(default_factory=dict)
    _shut: set[str] = field(default_factory=set)  # fields that perhaps nobody may write
    _vetted: bool = False  # have we looked at that once?
    _stopped: str = ""
    _halt: Halt | None = None
    _answered: bool = False  # has any update been answered?

    async def run(self, changes: Sequence[Change]) -> list[WriteOutcome]:
        """One outcome per change. Raises Retry, Halt and Unusable only while nothing has been sent."""
        lens = await self.org.lens(self.selection)
        self._prepare(lens, changes)
        self._may_write(lens)
        for _ in range(ROUNDS):
            if not self._open or self._stopped:
                break
            await self._round()
        if self._halt is not None and not self._answered:
            raise self._halt
        for target in list(self._open.values()):
            self._settle(target, WriteStatus.RETRY, self._stopped or "still busy after several tries")
        return list(self._outcomes.values())

    # --- before anything is sent --------------------------------------------------------------

    def _prepare(self, lens: Lens, changes: Sequence[Change]) -> None:
        """One target per record, whichever form its id has; what can't be sent is settled."""
        for change in changes:
            name = self.selection.writable[change.field].property
            extra = change.field in self.selection.extras
            if (known := to18(change.ref.id)) is None:
                self._note(change, WriteStatus.GONE, "this is no id of Salesforce's")
            elif change.new == change.expected:
                self._note(change, WriteStatus.WRITTEN, "it was so already")
                if along := _along(lens, change):
                    self._open.setdefault(known, Target(known, change.ref, [{}])).along |= along
            elif extra and not lens.catalogue.writable(name):
                self._note(change, WriteStatus.REFUSED, f"our user may not write {name}")  # the others go ahead
            elif wrong := _unfit(lens, name, change):
                self._note(change, WriteStatus.INVALID, wrong)
            else:
                target = self._open.setdefault(known, Target(known, change.ref, [{}]))
                target.parts[0].setdefault(name, []).append(change)
                target.along |= _along(lens, change)

    def _may_write(self, lens: Lens) -> None:
        """Stop at once and say so once, instead of collecting the same refusal ten thousand times."""
        wanted = {name for target in self._open.values() for part in target.parts for name in part}
        if closed := sorted(name for name in wanted if not lens.catalogue.writable(name)):
            raise Halt(
                f"our user may not write {', '.join(closed)} of {lens.type}",
                trouble=Trouble.MISCONFIGURED,
                cure=f"give the integration user's permission set edit access to {', '.join(closed)}",
            )

    # --- a round ------------------------------------------------------------------------------

    async def _round(self) -> None:
        try:
            ready, kind = await self.org.look(self.selection, self._look)
        except (Retry, Halt, Unusable) as error:
            if not self._answered:
                raise
            self._stopped = str(error)
            return
        await self._send(kind, ready)
        if self._open and not self._stopped and (wait := max(t.wait for t in self._open.values())) > 0:
            await self.clock.sleep(wait)

    async def _look(self, lens: Lens) -> tuple[list[Target], str]:
        """Read what is open, and say which of it may be sent now."""
        asked = self.calls.server_now()  # before the call: what we read is at least so new
        records = await self.org.retrieve(lens, list(self._open))
        lost = [one for one in self._open if one not in records]
        merged = await self.org.masters(lens, lost) if lost else {}
        if self._shut:
            lens = await self.org.lens(self.selection, fresh=True)
            self._settle_shut(lens)
        for one in lost:
            if target := self._open.get(one):
                status = WriteStatus.MOVED_ON if one in merged else WriteStatus.GONE
                self._settle(target, status, "it was merged" if one in merged else "it is not there any more")
        return [t for t in list(self._open.values()) if self._is_ready(lens, t, records[t.id], asked)], lens.type

    def _is_ready(self, lens: Lens, target: Target, record: Record, asked: float) -> bool:
        """Does the record stand as all of the first part expects, and long enough to tell a change by its stamp?"""
        snapshot = lens.snapshot(target.ref, record)
        part = target.parts[0]
        moved = [name for name, changes in part.items() if not _stands(changes[-1], snapshot)]
        if moved:
            self._settle(target, WriteStatus.MOVED_ON, "somebody changed the record first", names=moved)
        if target.id not in self._open:
            return False
        target.account, target.stamp = text(record, "AccountId"), seconds(text(record, STAMP))
        target.wait = max(0.0, target.stamp + OLD_ENOUGH - asked)
        return target.wait == 0.0 and part is target.parts[0]

    async def _send(self, kind: str, ready: list[Target]) -> None:
        """Records of one account stay together and are never in two calls at once: they share its lock."""
        ready.sort(key=lambda target: (target.account, target.id))
        size = self.batches.size
        chunks = [ready[start : start + size] for start in range(0, len(ready), size)]
        share = -(-len(chunks) // THREADS) or 1
        lanes = [chunks[start : start + share] for start in range(0, len(chunks), share)]
        await asyncio.gather(*(self._lane(kind, lane) for lane in lanes))

    async def _lane(self, kind: str, chunks: Iterable[list[Target]]) -> None:
        for chunk in chunks:
            targets = [target for target in chunk if not self._shut & target.parts[0].keys()]
            if targets and not self._stopped:
                await self._call(kind, targets)

    async def _call(self, kind: str, targets: list[Target]) -> None:
        try:
            results = await self.batches.send(kind, [target.update for target in targets])
        except Retry as error:
            self._stopped = self._stopped or str(error)
        except InDoubt as error:
            self._stopped, self._answered = self._stopped or str(error), True
            for target in targets:
                self._settle(target, WriteStatus.UNKNOWN, str(error), names=list(target.parts[0]))
        except Halt as error:
            self._stopped, self._halt = self._stopped or str(error), error
        else:
            self._answered = True
            for target, result in zip(targets, results, strict=True):
                self._take(target, result)

    # --- what became of an update -------------------------------------------------------------

    def _take(self, target: Target, result: Result) -> None:
        part = target.parts[0]
        if result.ok:
            self._settle(target, WriteStatus.WRITTEN, names=list(part))
        elif result.status == 0:
            self._settle(
                target, WriteStatus.UNKNOWN, "Salesforce's answer does not speak of this record", names=list(part)
            )
        else:
            values = [change.new for change in target.changes]
            self._refused(target, faults.read(result.status, result.refusals, values, target.id))

    def _refused(self, target: Target, fault: Fault) -> None:
        """Settle what is at fault; what is not, or may not be, is sent again by itself."""
        part = target.parts[0]
        named = [name for name in part if name in fault.fields]
        if fault.locked:
            self._try_again(target, fault)
        elif not part:
            self._settle(target, fault.status, fault.reason)
        elif target.along and not named and not fault.look and fault.status in _OF_THE_VALUE:
            target.along = {}  # it may be what was only to be set along with the values
        elif fault.look:
            target.moves += 1
            if target.moves >= MOVES:
                self._settle(target, fault.status, fault.reason)
        elif fault.closed and not self._vetted:
            self._shut.update(named or part)
            target.closed = fault.reason
        elif fault.status not in {WriteStatus.INVALID, WriteStatus.REFUSED, WriteStatus.DUPLICATE}:
            self._settle(target, fault.status, fault.reason, names=list(part))
        elif named or len(part) == 1:
            self._settle(target, fault.status, fault.reason, fault.holder, named or list(part))
        else:
            target.parts[:1] = [{name: changes} for name, changes in part.items()]

    def _try_again(self, target: Target, fault: Fault) -> None:
        target.locks += 1
        target.wait = self.rng.uniform(0.5, 2.0**target.locks)
        if target.locks >= LOCKS:
            self._settle(target, WriteStatus.RETRY, fault.reason)

    def _settle_shut(self, lens: Lens) -> None:
        """A field that Salesforce would not write: is it shut to us, or only on this record?"""
        for target in list(self._open.values()):
            shut = [name for part in target.parts for name in part if not lens.catalogue.writable(name)]
            self._settle(target, WriteStatus.RETRY, f"our user may not write {', '.join(shut)}", names=shut)
            if target.closed and target.id in self._open and not shut:
                named = [name for name in target.parts[0] if name in self._shut]
                self._settle(target, WriteStatus.REFUSED, target.closed, names=named)
        self._shut.clear()
        self._vetted = True

    def _settle(
        self,
        target: Target,
        status: WriteStatus,
        detail: str = "",
        holder: str | None = None,
        names: Iterable[str] | None = None,
    ) -> None:
        """Note an outcome for these fields of the target (None: for all that are left)."""
        gone = set(chain.from_iterable(target.parts) if names is None else names)
        for part in target.parts:
            for name in gone & part.keys():
                for change in part.pop(name):
                    self._note(change, status, detail, holder)
        target.parts = [part for part in target.parts if part]
        if not target.parts:
            self._open.pop(target.id, None)

    def _note(self, change: Change, status: WriteStatus, detail: str = "", holder: str | None = None) -> None:
        outcome = WriteOutcome(ref=change.ref, field=change.field, status=status, detail=detail, holder=holder)
        self._outcomes[change.ref, change.field] = outcome


def _along(lens: Lens, change: Change) -> dict[str, str]:
    """What can be set along with it."""
    return {name: text for name, text in change.along.items() if lens.catalogue.writable(name)}


def _unfit(lens: Lens, name: str, change: Change) -> str:
    """Why Salesforce would never take this value, or ""."""
    definition = lens.catalogue.fields[name]
    room = definition.get("length") or LIMITS.get(str(definition.get("type")), 0)
    if room and len(change.new) > room:
        return f"it is longer than {room} characters, which is all that {name} takes"
    if change.field is Field.EMAIL and not change.new.rpartition("@")[0].isascii():
        return "Salesforce takes no address with letters beyond ASCII before the @"
    return ""


def _stands(change: Change, snapshot: Snapshot) -> bool:
    """Is the record still what the change was decided on? Salesforce stores addresses in lower case."""
    if change.revision and change.revision != snapshot.revision:
        return False
    if not change.expected and (change.field in snapshot.elsewhere or change.field in snapshot.blocked):
        return False
    there = snapshot.values.get(change.field, "")
    return there.casefold() == change.expected.strip().casefold()
