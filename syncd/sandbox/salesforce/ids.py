"""Record ids: 15 case-sensitive characters, and the 3 that make them safe where case is lost.

Source: Salesforce's page "ID Field Type". Which object has which prefix is in `schema`.
"""

from __future__ import annotations

_DIGITS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_SUFFIX = "ABCDEFGHIJKLMNOPQRSTUVWXYZ012345"
_POD = "Wt00"  # which instance an id was made on


def make(prefix: str, number: int) -> str:
    """The 18-character id of the record of that number; ids of one prefix sort as their numbers do."""
    digits = ""
    for _ in range(15 - len(prefix) - len(_POD)):
        number, digit = divmod(number, 62)
        digits = _DIGITS[digit] + digits
    short = prefix + _POD + digits
    return short + checksum(short)


def checksum(short: str) -> str:
    """The three characters that say which of the fifteen are capitals."""
    blocks = (short[start : start + 5] for start in (0, 5, 10))
    return "".join(_SUFFIX[sum(1 << at for at, one in enumerate(block) if "A" <= one <= "Z")] for block in blocks)


def parse(text: object) -> str | None:
    """The 18 characters of an id written with 15 or 18, whatever the case of the latter; None if it is none."""
    if not isinstance(text, str) or len(text) not in {15, 18} or not (text.isascii() and text.isalnum()):
        return None
    if len(text) == 15:
        return text + checksum(text)
    short = _restore(text[:15], text[15:].upper())
    return short + text[15:].upper() if short and checksum(short) == text[15:].upper() else None


def _restore(short: str, suffix: str) -> str | None:
    if any(one not in _SUFFIX for one in suffix):
        return None
    bits = (_SUFFIX.index(suffix[at // 5]) >> at % 5 & 1 for at in range(15))
    return "".join(one.upper() if bit else one.lower() for one, bit in zip(short, bits, strict=True))
