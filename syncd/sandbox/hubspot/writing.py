"""POST …/batch/update: what is checked, what is refused, and whether one bad input spoils the others.

With a unique `objectWriteTraceId` on every input each stands for itself (207); without, the first
refusal refuses the whole request and nothing is written. Reading is in `objects`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from syncd.sandbox.faults import Faults

from .access import Token
from .items import BOOKED_AS_PERSON, Author, Item
from .objects import BATCH, TOO_MANY, Answer, finish, inputs_of, render, store_of
from .portal import PORTAL_ID, Portal
from .replies import Refusal, bad_properties, error, invalid, missing_objects

FAULTS = {
    "hubspot_conflict_form": "how an e-mail that another contact holds is refused, while on (parameter: 1 409 with the "
    "holder's id, 2 409 without, 3 inside a 207, 4 400 PropertyValueCoordinates; 1, 2, 4 refuse the whole request)",
    "hubspot_invalid_email": "an e-mail in an update is refused as INVALID_EMAIL (parameter: only this address)",
    "hubspot_trace_ignored": "objectWriteTraceId changes nothing, while on: one bad input refuses the whole update",
    "hubspot_phone_rule": "an admin's rule, while on: phones must have an explicit country code (dated paths only)",
    "hubspot_merged_gone": "updates of merged-away ids are answered OBJECT_NOT_FOUND, while on",
    "hubspot_books_as_person": "the property history books what this app writes under a user, while on",
    "hubspot_edit_between": "a colleague sets a property just before an update of it is carried out "
    "(parameter: property=value, default phone=+442079460999)",
}


@dataclass(slots=True)
class _Input:
    """One input of the request, with its verdict: `refused` is the error of a 207 entry, `status` of a refusal."""

    item: Item
    values: dict[str, str]
    trace: str | None
    problems: list[dict[str, Any]]
    conflict: int | None = None  # the contact that holds the e-mail


def update_batch(portal: Portal, kind: str, body: Any, token: Token, faults: Faults, *, dated: bool) -> Answer:
    """Status and body; raises Refusal when the whole request is refused."""
    raw = _checked(inputs_of(body))
    traced = len({one.get("objectWriteTraceId") for one in raw} - {None, ""}) == len(raw)
    alone = traced and faults.setting("hubspot_trace_ignored") is None
    inputs, missing = _resolve(portal, kind, raw, faults)
    _interfere(portal, inputs, faults)
    for one in inputs:
        _examine(portal, kind, one, faults, dated=dated)
    form = faults.setting("hubspot_conflict_form") or ("3" if alone else "1")
    if not alone or form != "3":
        _refuse_all(inputs, form, keep_apart=alone)
    author = token.author if faults.setting("hubspot_books_as_person") is None else BOOKED_AS_PERSON
    return _carry_out(portal, kind, inputs, missing, author)


def _checked(raw: list[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    if not raw:
        raise invalid("Invalid input JSON on line 1, column 1: inputs must not be empty")
    if len(raw) > BATCH:
        raise invalid(TOO_MANY.format("", BATCH))
    for one in raw:
        if one.get("idProperty"):
            raise invalid(f"Unable to perform update/upsert by non-unique 0-1 property {one['idProperty']}")
        values = one.get("properties")
        if not isinstance(values, Mapping) or any(not isinstance(v, str | int | float) for v in values.values()):
            raise invalid("Invalid input JSON on line 1, column 1: properties must map names to strings")
    twice = [text for text, count in Counter(str(one.get("id", "")) for one in raw).items() if count > 1]
    if twice:
        raise invalid(
            f"Duplicate IDs found in batch input: [{', '.join(twice)}]. IDs must be unique", context={"ids": twice}
        )
    return raw


def _resolve(portal: Portal, kind: str, raw: list[Mapping[str, Any]], faults: Faults) -> tuple[list[_Input], list[str]]:
    """The inputs whose records exist, and the ids of the others."""
    store, inputs, missing = store_of(portal, kind), [], []
    strict = faults.setting("hubspot_merged_gone") is not None
    for one in raw:
        text = str(one.get("id", ""))
        item = store.get(int(text)) if text.isdigit() else None
        if item is None or item.archived or (strict and str(item.id) != text):
            missing.append(text)
            continue
        values = {name: _written(name, value) for name, value in one["properties"].items()}
        inputs.append(_Input(item, values, one.get("objectWriteTraceId"), []))
    return inputs, missing


def _written(name: str, value: object) -> str:
    text = str(value).lower() if isinstance(value, bool) else str(value)
    return text.strip().lower() if name == "email" else text


def _interfere(portal: Portal, inputs: list[_Input], faults: Faults) -> None:
    at = portal.now_ms()
    for one in inputs:
        portal.interfere(one.item, one.values, at)
    for one in inputs:
        if (param := faults.take("hubspot_edit_between")) is not None:
            name, _, value = (param or "phone=+442079460999").partition("=")
            portal.human_edit(one.item.id, name, value, at=at)


def _examine(portal: Portal, kind: str, one: _Input, faults: Faults, *, dated: bool) -> None:
    catalogue, ruled = portal.catalogues[kind], dated and faults.setting("hubspot_phone_rule") is not None
    for name, value in one.values.items():
        if (problem := catalogue.problem(name, value)) is not None:
            one.problems.append({**problem, "portalId": PORTAL_ID})
        elif ruled and name in {"phone", "mobilephone"} and value and not value.startswith("+"):
            one.problems.append(
                _problem(name, "PHONE_NUMBER_WITH_EXPLICIT_COUNTRY_CODE", f"{value} has no country code")
            )
    email = one.values.get("email") if kind == "contacts" else None
    if not email or one.problems:
        return
    only = faults.setting("hubspot_invalid_email")
    if only is not None and only in {"", email}:
        faults.take("hubspot_invalid_email")
        one.problems.append(_problem("email", "INVALID_EMAIL", f"Email address {email} is invalid"))
    elif email in portal.contacts.blocked_emails:
        one.problems.append(_problem("email", "INVALID_EMAIL", f"Email address {email} is blocklisted"))
    else:
        one.conflict = portal.contacts.holder(email, besides=one.item.id)


def _problem(name: str, code: str, message: str) -> dict[str, Any]:
    return {"isValid": False, "message": message, "error": code, "name": name, "portalId": PORTAL_ID}


def _refuse_all(inputs: list[_Input], form: str, *, keep_apart: bool) -> None:
    """Raise what refuses the whole request, if there is anything; `keep_apart`: bad values are told one by one."""
    problems = [problem for one in inputs for problem in one.problems]
    if problems and not keep_apart:
        raise Refusal(400, bad_properties(problems))
    claimed: dict[str, int] = {}
    for one in inputs:
        email = one.values.get("email", "")
        holder = one.conflict or claimed.get(email)
        if holder is not None:
            raise _conflict(form, one, holder)
        if email and not one.problems:
            claimed[email] = one.item.id


def _conflict(form: str, one: _Input, holder: int) -> Refusal:
    if form == "4":
        return invalid(_coordinates(one, holder))
    text = "Contact already exists" if form == "2" else f"Contact already exists. Existing ID: {holder}"
    return Refusal(409, error(text, "CONFLICT"))


def _coordinates(one: _Input, holder: int) -> str:
    return (
        f"Cannot set PropertyValueCoordinates{{portalId={PORTAL_ID}, "
        "objectTypeId=ObjectTypeId{legacyObjectType=CONTACT}, "
        f"propertyName=email, value={one.values['email']}}} on {one.item.id}. {holder} already has that value."
    )


def _carry_out(portal: Portal, kind: str, inputs: list[_Input], missing: list[str], author: Author) -> Answer:
    """Write what may be written, one after the other: an earlier input may take the e-mail of a later one."""
    store, at = store_of(portal, kind), portal.now_ms() + 1  # after whatever a colleague did just now
    results, errors = [], []
    for one in inputs:
        email = one.values.get("email", "") if kind == "contacts" else ""
        holder = store.holder(email, besides=one.item.id) if email else None
        if one.problems:
            portal.refused.setdefault(one.item.id, set()).update(problem["name"] for problem in one.problems)
            errors.append(_entry(one, bad_properties(one.problems)))
        elif holder is not None:
            body = error(f"Contact already exists. Existing ID: {holder}", "CONFLICT")
            errors.append(_entry(one, body, existingId=[str(holder)]))
        else:
            store.write(one.item, one.values, author, at)
            results.append(_result(portal, kind, one))
    if missing:
        errors.append(missing_objects(store.kind, missing))
    portal.rng.shuffle(results)
    return finish(portal, results, errors)


def _entry(one: _Input, body: dict[str, Any], **context: list[str]) -> dict[str, Any]:
    body.pop("correlationId")
    return {**body, "context": {"objectWriteTraceId": [one.trace], **context}}


def _result(portal: Portal, kind: str, one: _Input) -> dict[str, Any]:
    """Only what was set, and a few of the system's own."""
    names = [*one.values, *(["hs_email_domain"] if "email" in one.values else [])]
    body = render(portal, kind, one.item, names)
    body["properties"] = {name: value for name, value in body["properties"].items() if value is not None}
    return body
