"""The two ways in which updates are sent: guarded, 25 in a call, or fast, 200 in a call.

A guarded update carries its own condition inside the body of the composite request, where no login and no
repetition can lose it: Salesforce answers 412 when the record was changed after that second. The parts of
such a request inherit no other headers than Accept, Authorization and Content-Type ("Composite Subrequest").
Which records are sent, and what their answers lead to, is said in `write`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from syncd.contract.errors import InDoubt

from .answers import NO_ASSIGNMENT, Refusal, http_date, refusals
from .calls import Calls


@dataclass(frozen=True, slots=True)
class Update:
    """New values for one record that was last changed at `stamp` (UTC seconds)."""

    id: str
    values: Mapping[str, str]
    stamp: float

    @property
    def body(self) -> dict[str, str | None]:
        return {name: value or None for name, value in self.values.items()}


@dataclass(frozen=True, slots=True)
class Result:
    """What Salesforce says of one update. `status` is HTTP's, or 0 when it said nothing."""

    status: int
    refusals: tuple[Refusal, ...] = ()

    @property
    def ok(self) -> bool:
        return 200 <= self.status < 300


class Batches(Protocol):
    """One call for up to `size` updates; the results come by position. Raises what `Calls.once` raises."""

    size: int

    async def send(self, kind: str, updates: Sequence[Update]) -> list[Result]: ...


class Guarded:
    """Composite requests: each part with its own If-Unmodified-Since, in whole seconds."""

    size = 25

    def __init__(self, calls: Calls) -> None:
        self._calls = calls

    async def send(self, kind: str, updates: Sequence[Update]) -> list[Result]:
        root = f"/services/data/v{self._calls.version}/sobjects/{kind}"
        parts = [
            {
                "method": "PATCH",
                "url": f"{root}/{one.id}",
                "referenceId": f"r{number}",
                "httpHeaders": {**NO_ASSIGNMENT, "If-Unmodified-Since": http_date(one.stamp)},
                "body": one.body,
            }
            for number, one in enumerate(updates)
        ]
        request = {"allOrNone": False, "collateSubrequests": False, "compositeRequest": parts}
        answer = await self._calls.once("POST", "composite", request)
        told = {part.get("referenceId"): part for part in answer.part("compositeResponse") if isinstance(part, dict)}
        return [_part(told.get(f"r{number}", {})) for number in range(len(updates))]


class Fast:
    """Collections: no conditions. A colleague's edit between our look and this call is lost."""

    size = 200

    def __init__(self, calls: Calls) -> None:
        self._calls = calls

    async def send(self, kind: str, updates: Sequence[Update]) -> list[Result]:
        records = [{"attributes": {"type": kind}, "id": one.id, **one.body} for one in updates]
        answer = await self._calls.once("PATCH", "composite/sobjects", {"allOrNone": False, "records": records})
        rows = answer.rows()
        if len(rows) != len(updates):  # a failed row has no id: the position is all there is
            raise InDoubt("Salesforce answered only a part of a collection")
        return [_row(row if isinstance(row, dict) else {}) for row in rows]


def _part(part: Mapping[str, Any]) -> Result:
    status = part.get("httpStatusCode")
    return Result(status if isinstance(status, int) else 0, refusals(part.get("body")))


def _row(row: Mapping[str, Any]) -> Result:
    if row.get("success") is True:
        return Result(204)
    return Result(400 if row.get("success") is False else 0, refusals(row.get("errors")))
