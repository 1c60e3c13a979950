"""Values that wait for a person's review, as the judge is told of them by whoever ran the client.

The CRMs do not show them, and the sandbox does not ask the client.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from .people import FIELDS

_MASKED = ("*", "•", "…")


@dataclass(frozen=True, slots=True)
class Waiting:
    """One value for a field of a record. `value` None: not told, or masked."""

    id: str  # the CRM's id of the record
    field: str  # one of FIELDS
    value: str | None = None


def read_query(texts: Iterable[str]) -> list[Waiting]:
    """Of texts `connection/object/id,field` or `connection/object/id,field,value`; ValueError for others."""
    return [_waiting(*text.split(",", 2)) for text in texts]


def read_body(raw: bytes) -> list[Waiting]:
    """Of JSON {"review": [...]}, each a text as above or an object with ref, field and maybe value; "" is none.

    ValueError for others.
    """
    body = json.loads(raw) if raw.strip() else {}
    if not isinstance(body, dict) or not isinstance(body.get("review", []), list):
        raise ValueError('the body is not {"review": [...]}')  # noqa: TRY004 - the caller's text, not a mistake of ours
    return [_read(one) for one in body.get("review", [])]


def _read(one: Any) -> Waiting:
    if isinstance(one, str):
        return _waiting(*one.split(",", 2))
    if not isinstance(one, Mapping):
        raise ValueError(f"neither a text nor an object: {one!r}")  # noqa: TRY004 - as above
    return _waiting(str(one.get("ref", "")), str(one.get("field", "")), one.get("value"))


def _waiting(ref: str, field: str = "", value: str | None = None) -> Waiting:
    if ref.count("/") != 2 or field not in FIELDS:
        raise ValueError(f"not connection/object/id and one of {', '.join(FIELDS)}: {ref},{field}")
    plain = value and not any(mark in value for mark in _MASKED)
    return Waiting(ref.rsplit("/", 1)[1], field, value if plain else None)
