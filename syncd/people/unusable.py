"""The answer of `phones.read` and `emails.read` for a text that must not be written to a CRM."""

from __future__ import annotations

from syncd.frozen import frozen


@frozen()
class Unusable:
    """`why` is a short phrase for people, without the value itself, so that it may be logged."""

    why: str
