"""One call to the REST API, and its answer, whether it came over HTTP or as a part of a composite call.

The table of operations is in `operations`, what they do in `reading`, `rows`, `collections`, `composite`, `bulk`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from .access import Session
from .replies import Refusal, bad_json, not_found
from .saving import Manner

JSON_TYPE = "application/json;charset=UTF-8"


@dataclass(frozen=True, slots=True)
class Call:
    """A call that was admitted. `path`: what the operation's pattern found in the address."""

    session: Session
    version: str
    method: str
    query: Mapping[str, str]
    headers: Mapping[str, str]  # by lower-case name
    raw: bytes = b""
    parsed: Any = None  # of a part of a composite call
    path: Mapping[str, str] = field(default_factory=dict)
    is_part: bool = False

    @property
    def base(self) -> str:
        """Where all addresses of this version begin."""
        return f"/services/data/v{self.version}"

    @property
    def manner(self) -> Manner:
        """How records are to be saved; raises Refusal."""
        return Manner.of(self.session.user, self.version, self.headers)

    def body(self) -> dict[str, Any]:
        """The JSON object that was sent; raises Refusal."""
        body = self.parsed if self.is_part else self._parse()
        if not isinstance(body, dict):
            raise bad_json("Cannot deserialize instance of object")
        return body

    def _parse(self) -> Any:
        kind = self.headers.get("content-type", "").partition(";")[0].strip().lower()
        if kind != "application/json":
            raise Refusal("UNSUPPORTED_MEDIA_TYPE", f"Content-Type : {kind} not supported", 415)
        try:
            return json.loads(self.raw)
        except json.JSONDecodeError as problem:
            raise bad_json(problem.msg, problem.lineno, problem.colno) from problem
        except UnicodeDecodeError as problem:
            raise bad_json("Invalid UTF-8") from problem


@dataclass(slots=True)
class Answer:
    """`body`: JSON, text as it is, or None for nothing."""

    status: int = 200
    body: Any = None
    headers: dict[str, str] = field(default_factory=dict)
    media: str = JSON_TYPE


@dataclass(frozen=True, slots=True)
class Operation:
    """One endpoint. `pattern`: of the address after the version; `group`: names its faults of the line."""

    name: str
    method: str
    pattern: re.Pattern[str]
    group: str
    run: Callable[[Call], Answer]


class Dispatcher:
    """Finds the operation for an address."""

    def __init__(self, operations: Iterable[Operation]) -> None:
        self.operations = list(operations)

    def find(self, method: str, address: str) -> tuple[Operation, dict[str, str]]:
        """The operation and what its pattern found; raises Refusal (404, 405)."""
        allowed = []
        for one in self.operations:
            found = one.pattern.fullmatch(address.rstrip("/") or "/")
            if found is not None and one.method == method:
                return one, {name: value for name, value in found.groupdict().items() if value is not None}
            if found is not None:
                allowed.append(one.method)
        if not allowed:
            raise not_found()
        text = f"HTTP Method '{method}' not allowed. Allowed are {','.join(allowed)}"
        raise Refusal("METHOD_NOT_ALLOWED", text, 405)
