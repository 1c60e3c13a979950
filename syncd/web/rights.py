"""People's rights, asked for by a program: `POST /api/suppress`, `unsuppress`, `forget`, `export`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from syncd.actions import rights
from syncd.contract.errors import SyncdError
from syncd.ledger import suppressions
from syncd.pipeline.parts import Parts

BY = "the private API"


async def suppress(parts: Parts, given: Mapping[str, Any]) -> dict[str, Any]:
    """`{"values": ["ada@example.com"], "reason": "asked us to"}`: they are left alone from now on."""
    signs, reason = rights.signs_of(_values(given)), str(given.get("reason", ""))
    new = await parts.ledger.write(suppressions.add, signs, reason=reason, by=BY, now=parts.clock.now())
    parts.bells.ring("plan")
    return {"new": new, "known": len(set(signs)) - new}


async def unsuppress(parts: Parts, given: Mapping[str, Any]) -> dict[str, Any]:
    """`{"values": ["ada@example.com"]}`, or ids as `GET /api/suppressions` tells them."""
    try:
        digests = [await parts.ledger.read(rights.entry_of, value) for value in _values(given)]
    except SyncdError as error:
        raise ValueError(str(error)) from None
    gone = await parts.ledger.write(suppressions.remove, digests)
    parts.bells.ring("plan")
    return {"removed": gone}


async def forget(parts: Parts, given: Mapping[str, Any]) -> dict[str, Any]:
    """`{"who": "ada@example.com", "do": true}`: without `do`, only what is held."""
    try:
        person = await parts.ledger.read(rights.look, str(given.get("who", "")))
    except SyncdError as error:
        raise ValueError(str(error)) from None
    gone = await rights.erase(parts, person, BY) if given.get("do") is True else {}
    done = given.get("do") is True
    told = {"records": person.held.refs, "held": person.held.counts, "done": done, "gone": dict(gone)}
    return {**told, "elsewhere": rights.ELSEWHERE}


async def export(parts: Parts, given: Mapping[str, Any]) -> dict[str, Any]:
    """`{"who": "ada@example.com"}`: all that is held on a person."""
    try:
        return await parts.ledger.read(rights.export, str(given.get("who", "")), parts.listed_prices)
    except SyncdError as error:
        raise ValueError(str(error)) from None


def _values(given: Mapping[str, Any]) -> list[str]:
    values = given.get("values")
    if not isinstance(values, list) or not values or not all(isinstance(one, str) for one in values):
        raise ValueError('values: a list of texts, such as ["ada@example.com"]')
    return values
