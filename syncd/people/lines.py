"""Kinds of telephone lines."""

from __future__ import annotations

from enum import StrEnum


class Kind(StrEnum):
    MOBILE = "mobile"
    FIXED = "fixed"
    EITHER = "either"  # plans such as North America's do not tell mobiles from fixed lines
    VOIP = "voip"
