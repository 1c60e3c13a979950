"""Carrying out changes: one batch update, and what it takes to lose none of its good records.

HubSpot has no conditional write, so whoever calls reads just before and just after. A write is never
repeated here for the same property of the same record, unless HubSpot said that it was not done.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

from syncd.contract.errors import Halt, InDoubt, Retry
from syncd.contract.model import Change, ContactRef, Field, Selection, WriteOutcome, WriteStatus

from . import faults
from .answers import Answer, Refusal
from .calls import Calls, Route
from .faults import Fault
from .records import record_id

WRITE_CHUNK = 100
CALLS = 40  # at most, to find the bad ones among a hundred: ~2·log2(100) for each


@dataclass(frozen=True, slots=True)
class Input:
    """One record of a batch, and the properties still to be written to it. `along`: set with them, if they can be."""

    id: str
    changes: Mapping[str, Change]  # by property
    along: Mapping[str, str]

    def without(self, names: Iterable[str]) -> Input:
        kept = {name: change for name, change in self.changes.items() if name not in set(names)}
        return Input(self.id, kept, self.along)

    def only(self, name: str) -> Input:
        return Input(self.id, {name: self.changes[name]}, self.along)

    def alone(self) -> Input:
        return Input(self.id, self.changes, {})

    @property
    def properties(self) -> dict[str, str]:
        return {**self.along, **{name: change.new for name, change in self.changes.items()}}


class Writing:
    """One `write`: batches still to be sent, and the outcomes so far."""

    def __init__(
        self, calls: Calls, selection: Selection, changes: Sequence[Change], closed: Collection[str] = ()
    ) -> None:
        """`closed`: properties that the portal does not have, or that nobody may write."""
        self._calls = calls
        self._closed = frozenset(closed)
        self._left = CALLS
        self._outcomes: dict[tuple[ContactRef, Field], WriteOutcome] = {}
        self._later: list[Input] = []  # what remains of records of which a part was refused
        self._batches = self._prepare(selection, changes)

    async def run(self) -> list[WriteOutcome]:
        """One outcome per change. Raises Halt only while nothing has been sent."""
        while batch := self._next():
            if self._left == 0:
                self._settle(batch, WriteStatus.RETRY, "too many bad records in one batch: the rest comes later")
                continue
            try:
                await self._send(batch)
            except Retry as error:
                self._stop(batch, WriteStatus.RETRY, str(error))
            except InDoubt as error:
                self._stop(batch, WriteStatus.UNKNOWN, str(error))
            except Halt as error:
                if self._left == CALLS - 1:
                    raise
                self._stop(batch, WriteStatus.RETRY, str(error))
        return list(self._outcomes.values())

    def _prepare(self, selection: Selection, changes: Sequence[Change]) -> list[list[Input]]:
        """One input per record; of two changes to one field the last holds; what changes nothing is not sent."""
        records: dict[ContactRef, dict[str, Change]] = {}
        for change in changes:
            name = selection.writable[change.field].property
            records.setdefault(change.ref, {})[name] = change
        inputs = []
        for ref, by_name in records.items():
            told = {name: text for change in by_name.values() for name, text in change.along.items()}
            along = {name: text for name, text in told.items() if name not in self._closed and name not in by_name}
            one = Input(ref.id, by_name, along)
            idle = [name for name, change in by_name.items() if change.new == change.expected]
            shut = [name for name in by_name if name in self._closed and name not in idle]
            self._settle([one], WriteStatus.WRITTEN, "it was so already", names=idle)
            self._settle([one], WriteStatus.REFUSED, "the portal has no such property that may be written", names=shut)
            if not ref.id.isdigit():
                self._settle([one], WriteStatus.GONE, "HubSpot's ids are numbers")
            elif (rest := one.without([*idle, *shut]).changes) or (along and idle):
                inputs.append(Input(ref.id, rest, along))
        return [inputs[start : start + WRITE_CHUNK] for start in range(0, len(inputs), WRITE_CHUNK)]

    def _next(self) -> list[Input]:
        if self._batches:
            return self._batches.pop()
        batch, self._later = self._later, []
        return batch

    async def _send(self, batch: list[Input]) -> None:
        self._left -= 1
        body = {
            "inputs": [
                {
                    "id": one.id,
                    "properties": one.properties,
                    "objectWriteTraceId": str(number),  # with it HubSpot writes the good ones and names the bad
                }
                for number, one in enumerate(batch)
            ]
        }
        answer = await self._calls.once(Route.UPDATE, body)
        if answer.status in {400, 409}:
            self._refused_as_a_whole(batch, answer.refusal)
        else:
            self._sort_out(batch, answer)

    def _sort_out(self, batch: list[Input], answer: Answer) -> None:
        """Match a 200 or 207 to its inputs: by trace id, by record id, and last by absence."""
        try:
            written = {record_id(record) for record in answer.results}
        except Retry as error:  # a success of which nothing can be read
            raise InDoubt(str(error)) from error
        blamed, strays = _assign(batch, answer.refusal.errors)
        absent: list[Input] = []
        for number, one in enumerate(batch):
            if number in blamed:
                self._refused(one, faults.read(blamed[number], _values([one])))
            elif one.id in written:
                self._settle([one], WriteStatus.WRITTEN)
            else:
                absent.append(one)
        if len(absent) == 1 and len(strays) == 1:
            self._refused(absent[0], faults.read(strays[0], _values(absent)))
        elif absent and strays:
            self._halve(absent)
        else:
            self._settle(absent, WriteStatus.UNKNOWN, "HubSpot's answer does not speak of this record")

    def _refused_as_a_whole(self, batch: list[Input], refusal: Refusal) -> None:
        """Nothing was written: set the culprits aside, if they can be told, and send the others again."""
        fault = faults.read(refusal, _values(batch))
        culprits = [one for one in batch if one.id in {fault.record, *refusal.named("ids")}]
        if any(fault.properties & one.along.keys() for one in batch):
            self._later += [one.alone() for one in batch if one.changes]
        elif len(batch) == 1:
            self._refused(batch[0], fault)
        elif fault.for_all and any(fault.properties & one.changes.keys() for one in batch):
            for one in batch:
                if fault.properties & one.changes.keys():
                    self._refused(one, fault)
                else:
                    self._later.append(one)
        elif culprits:
            for one in culprits:
                self._refused(one, fault)
            self._later += [one for one in batch if one not in culprits]
        else:
            self._halve(batch)

    def _refused(self, one: Input, fault: Fault) -> None:
        """Settle what is at fault; what is not, or may not be, is sent again by itself."""
        named = fault.properties & one.changes.keys()
        if fault.status not in {WriteStatus.INVALID, WriteStatus.REFUSED, WriteStatus.DUPLICATE}:
            self._settle([one], fault.status, fault.reason)
        elif one.along and not named:  # it may be what was only to be set along with the values
            self._later += [one.alone()] if one.changes else []
        elif named:
            self._settle([one], fault.status, fault.reason, fault.holder, named)
            if rest := one.without(named).changes:
                self._later.append(Input(one.id, rest, one.along))
        elif len(one.changes) > 1:
            self._batches += [[one.only(name)] for name in one.changes]
        else:
            self._settle([one], fault.status, fault.reason, fault.holder)

    def _halve(self, batch: list[Input]) -> None:
        middle = (len(batch) + 1) // 2
        self._batches += [half for half in (batch[middle:], batch[:middle]) if half]

    def _stop(self, batch: list[Input], status: WriteStatus, detail: str) -> None:
        """Give up on this `write`: what was not sent may be sent later."""
        self._settle(batch, status, detail)
        for waiting in (*self._batches, self._later):
            self._settle(waiting, WriteStatus.RETRY, detail)
        self._batches, self._later = [], []

    def _settle(
        self,
        batch: Iterable[Input],
        status: WriteStatus,
        detail: str = "",
        holder: str | None = None,
        names: Iterable[str] | None = None,
    ) -> None:
        for one in batch:
            for name in one.changes if names is None else names:
                change = one.changes[name]
                outcome = WriteOutcome(ref=change.ref, field=change.field, status=status, detail=detail, holder=holder)
                self._outcomes[change.ref, change.field] = outcome


def _assign(batch: list[Input], errors: Iterable[Refusal]) -> tuple[dict[int, Refusal], list[Refusal]]:
    """Which input each error of a 207 speaks of, by its number; and the errors that speak of none."""
    by_id = {one.id: number for number, one in enumerate(batch)}
    blamed: dict[int, Refusal] = {}
    strays = []
    for error in errors:
        traces = [int(t) for t in error.named("objectWriteTraceId") if t.isdigit() and int(t) < len(batch)]
        ids = [by_id[i] for i in (*error.named("ids"), *error.named("id")) if i in by_id]
        blamed.update(dict.fromkeys(traces or ids, error))
        if not traces and not ids:
            strays.append(error)
    return blamed, strays


def _values(batch: Iterable[Input]) -> list[str]:
    return [change.new for one in batch for change in one.changes.values()]
