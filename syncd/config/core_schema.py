"""Plain scalars as YAML 1.2's core schema reads them: `NO`, `on`, `12:30` and `1_000` are texts, `0500` is 500.

PyYAML's own rules are YAML 1.1's, where `NO` is false, `01000` is 512 and `12:30` is 750.
Source: https://yaml.org/spec/1.2.2/#103-core-schema
"""

from __future__ import annotations

import math
import re

MAX_DIGITS = 40  # far more than any number that means something here

_CONSTANTS: dict[str, bool | None] = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL")),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
}
_WHOLE = re.compile(r"[-+]?[0-9]+")
_OTHER_BASES = {"0o": (re.compile(r"0o[0-7]+"), 8), "0x": (re.compile(r"0x[0-9a-fA-F]+"), 16)}
_FRACTION = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?")
_ENDLESS = re.compile(r"[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)")


def value(text: str) -> str | int | float | bool | None:
    """What a plain scalar means. Raises ValueError for a number that is none of ours: too long, or not finite."""
    if text in _CONSTANTS:
        return _CONSTANTS[text]
    digits, base = _OTHER_BASES.get(text[:2], (_WHOLE, 10))
    if not (digits.fullmatch(text) or _FRACTION.fullmatch(text) or _ENDLESS.fullmatch(text)):
        return text
    if len(text) > MAX_DIGITS or _ENDLESS.fullmatch(text):
        raise ValueError("is no number that syncd can work with; put it in quotes if it is text")
    if digits.fullmatch(text):
        return int(text, base)
    number = float(text)
    if not math.isfinite(number):
        raise ValueError("is too large a number; put it in quotes if it is text")
    return number
