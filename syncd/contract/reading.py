"""Reading what a vendor sent without trusting any of it: strict JSON, short clean strings, amounts.

Not in here: what any field means. Nothing here raises anything but Garbled.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from decimal import Decimal, InvalidOperation
from typing import Any

from . import normal
from .errors import Garbled
from .jsontext import parse_strictly

VALUE_LIMIT = 320  # characters: no e-mail address and no phone number is longer
_PRIVATE = re.compile(r"\S+@\S+|https?://\S+|\bsk-\S+|[\w-]{20,}|\+?\d[\d ().-]{6,}\d")


def decode(body: bytes) -> dict[str, Any]:
    """Strict UTF-8 (a byte order mark may stand before it), strict JSON (no NaN, no Infinity), an object; anything
    else is Garbled."""
    try:
        decoded = parse_strictly(body.decode("utf-8-sig"))
    except (ValueError, RecursionError) as error:
        raise Garbled(f"not JSON: {type(error).__name__}") from error
    if not isinstance(decoded, dict):
        raise Garbled("not a JSON object")
    return decoded


def text(raw: object) -> str | None:
    """A string that may be shown and stored: at most 320 characters, no control or other invisible
    ones, no lone surrogates. None for anything else."""
    if not isinstance(raw, str):
        return None
    value = raw.strip()
    if not 0 < len(value) <= VALUE_LIMIT:
        return None
    hidden = not value.isprintable() and any(unicodedata.category(c).startswith("C") for c in value)
    return None if hidden else value


def record(raw: object) -> dict[str, Any]:
    """An object, or an empty one in place of anything else."""
    return raw if isinstance(raw, dict) else {}


def records(raw: object) -> Iterator[dict[str, Any]]:
    """The objects of a list; nothing where there is no list."""
    if isinstance(raw, list):
        yield from (item for item in raw if isinstance(item, dict))


def amount(raw: object) -> Decimal | None:
    """A finite number of at least 0, written as a number or as a string; None otherwise."""
    try:
        number = Decimal(str(raw))
    except (InvalidOperation, ValueError):  # ValueError: an int of thousands of digits
        return None
    return number if number.is_finite() and number >= 0 else None


def remark(said: object) -> str:
    """A vendor's text for people: one short line without addresses, numbers, links and keys."""
    if isinstance(said, list):
        said = "; ".join(str(part) for part in said)
    return _PRIVATE.sub("…", normal.text(str(said or "")) or "no message")[:200]
