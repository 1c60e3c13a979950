"""`syncd check` for an org: login, calls left, fields, rights, the condition. Changes nothing, spends few calls."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from syncd.contract.errors import ConnectorError, Halt, Trouble, Unusable
from syncd.contract.model import EXTRAS, FieldMap, Finding, Level, Selection

from . import properties, semijoins, soql
from .calls import Calls
from .options import Login, Options
from .org import Org
from .records import Lens, text, to18
from .schema import TEXT

_AGAIN = "try again; if it stays so, look at domain and at trust.salesforce.com"
_SEE = "give the integration user's permission set read access to it"
_EDIT = "give the integration user's permission set edit access to it"


async def check(calls: Calls, org: Org, options: Options, selections: Sequence[Selection]) -> list[Finding]:
    """All findings about this connection; the first obstacle that hides the rest ends the list."""
    try:
        await calls.login()
        findings = [_way_in(calls, options)]
        for number, selection in enumerate(selections):
            findings += [replace(one, selection=number) for one in await _selection(org, selection)]
    except ConnectorError as error:
        return [_finding(error, whole=True)]
    return [*findings, *_budget(calls, options)]


def _way_in(calls: Calls, options: Options) -> Finding:
    what = f"org {calls.org or '?'} at {options.domain}, API {options.api_version}, by {options.login}"
    if options.login is Login.SOAP:
        what += ", which Salesforce ends with Summer '27"
        cure = "make an External Client App and set client_id and client_secret"
        return Finding(level=Level.WARNING, what=what, cure=cure)
    return Finding(level=Level.OK, what=what)


async def _selection(org: Org, selection: Selection) -> list[Finding]:
    """What stands in the way of one sync; if nothing does, what it can't see."""
    try:
        lens = await org.bare_lens(selection, fresh=True)
    except (Halt, Unusable) as error:
        return [_finding(error)]
    if wrong := list(_wrong(lens)):
        return wrong
    try:
        lens = await org.lens(selection)
        of_campaigns = await _campaigns(org, lens)
        await org.probe(lens)
    except (Halt, Unusable) as error:
        return [_finding(error)]
    if any(one.level is Level.ERROR for one in of_campaigns):
        return of_campaigns
    good = Finding(level=Level.OK, what=f"{_own(lens)} can be read and written")
    return [
        good,
        *of_campaigns,
        *_hidden(lens),
        *_extras(lens),
        *_provenance(lens),
        *properties.checkbox(lens),
        *_blind(lens),
    ]


async def _campaigns(org: Org, lens: Lens) -> list[Finding]:
    """Are the campaigns there, and how many members have they?"""
    wanted = semijoins.campaigns(lens.selection.match)
    found = {to18(text(row, "Id")): row for row in await org.campaigns(lens)} if wanted else {}
    findings = []
    for one in wanted:
        row = found.get(to18(one))
        if row is None:
            what, cure = f"the org shows us no campaign {one}", "name another one, or let our user see it"
            findings.append(Finding(level=Level.ERROR, what=what, cure=cure, at="match"))
        else:
            size = text(row, "NumberOfContacts" if lens.type == "Contact" else "NumberOfLeads")
            what = f"campaign {one} ({text(row, 'Name')}) has {size} {lens.selection.object}"
            findings.append(Finding(level=Level.OK, what=what))
    return findings


def _wrong(lens: Lens) -> Iterator[Finding]:
    for field, fields in lens.selection.fields.items():
        for what, cure in _field(lens, fields):
            advice = cure or f"set another property for {field}"
            yield Finding(level=Level.ERROR, what=what, cure=advice, at=f"fields.{field}.property")
    for problem in soql.problems(lens.selection):
        yield Finding(level=Level.ERROR, what=problem, cure="mend `match` of this sync", at="match")
    if not lens.catalogue.updateable:
        yield Finding(level=Level.ERROR, what=f"our user may not edit {lens.type} records", cure=_EDIT, at="object")
    if soql.too_long(lens):
        yield Finding(
            level=Level.ERROR, what="match.where makes a query that is too long", cure="shorten it", at="match"
        )


def _field(lens: Lens, fields: FieldMap, *, searched: bool = True) -> Iterator[tuple[str, str]]:
    """What is wrong with a mapping, and the cure where it is not another property. What `also` names may be hidden
    (`_hidden`), but not be written in another case."""
    for name in (fields.property, *fields.also):
        definition = lens.catalogue.fields.get(name)
        if definition is not None:
            if searched and definition.get("filterable") is False:
                yield f"{lens.type}.{name} can't be searched by", ""
        elif (near := _near(lens, name)) or name == fields.property:
            yield _unseen(lens, name), f"write {near}" if near else f"name another, or {_SEE}"
    definition = lens.catalogue.fields.get(fields.property, {})
    if definition.get("type", "string") not in TEXT:
        yield f"{lens.type}.{fields.property} is of type {definition.get('type')}, not text", ""
    elif definition and definition.get("updateable") is not True:
        yield f"our user may not write {lens.type}.{fields.property}", _EDIT


def _hidden(lens: Lens) -> Iterator[Finding]:
    """Fields of `also` that our user can't see: what they hold counts as nothing, and the sync goes on."""
    for field, fields in lens.selection.writable.items():
        for name in (one for one in fields.also if one not in lens.catalogue.fields):
            what = f"{_unseen(lens, name)}: what it holds does not count as {field}"
            cure = f"take it out of `also` of {field}, or {_SEE}"
            yield Finding(level=Level.WARNING, what=what, cure=cure, at=f"fields.{field}.also")


def _unseen(lens: Lens, name: str) -> str:
    return f"{lens.type} has no field {name!r} that our user can see"


def _near(lens: Lens, name: str) -> str:
    """The field that is meant, where only the case differs; "" where there is none."""
    return next((known for known in lens.catalogue.fields if known.casefold() == name.casefold()), "")


def _extras(lens: Lens) -> Iterator[Finding]:
    """Fields that come along with an answer are not filled where they can't be; the sync goes on without them."""
    for field, fields in lens.selection.extras.items():
        for what, cure in _field(lens, fields, searched=False):
            advice = cure or f"set another property for {field}, or none"
            place = EXTRAS.get(field, "")
            yield Finding(level=Level.WARNING, what=f"{what}: {field} is not filled", cure=advice, at=place)


def _provenance(lens: Lens) -> Iterator[Finding]:
    """Fields that tell of a value where it is from: values are written without them."""
    for told, problem, cure in properties.wrong(lens):
        what = f"{problem}: values are written without it"
        yield Finding(level=Level.WARNING, what=what, cure=cure, at=f"provenance.{told}")


def _blind(lens: Lens) -> Iterator[Finding]:
    """What we can do without, and what it costs."""
    known = lens.catalogue.fields
    if "IndividualId" in known and not lens.catalogue.individual:
        what = f"individuals can't be seen, so nobody knows which {lens.selection.object} must not be processed"
        yield Finding(level=Level.WARNING, what=what, cure=_SEE)
    for name in ("HasOptedOutOfEmail", "DoNotCall"):
        if name not in known:
            what = f"{lens.type}.{name} can't be seen, so nobody knows who has opted out"
            yield Finding(level=Level.WARNING, what=what, cure=_SEE)
    if lens.type == "Contact" and not lens.catalogue.account:
        what = "accounts can't be seen, so contacts have no company and fewer people are found"
        yield Finding(level=Level.WARNING, what=what, cure=_SEE)
    if lens.linkedin is None:
        what = f"{lens.type} has no field {lens.options.linkedin_field or 'that says LinkedIn'}"
        cure = "set linkedin_field to the one that holds profile addresses; without it fewer people are found"
        yield Finding(level=Level.WARNING, what=what, cure=cure)


def _own(lens: Lens) -> str:
    """`Lead.Email, Lead.Phone (history tracked, profiles in LinkedIn__c)`."""
    notes = ["history tracked"] if lens.tracked else []
    notes += [f"profiles in {lens.linkedin}"] if lens.linkedin else []
    names = ", ".join(f"{lens.type}.{name}" for name in lens.written)
    return f"{names} ({', '.join(notes)})" if notes else names


def _budget(calls: Calls, options: Options) -> Iterator[Finding]:
    """The day's calls: of the org, of our app, and our own."""
    limits = calls.limits
    for whose, (used, limit) in limits.used.items():
        what = f"{whose}: {used} of {limit} calls of the last 24 hours are used"
        if used >= limit * options.share:
            cure = "find the app that uses them up, buy more, or raise share"
            yield Finding(level=Level.WARNING, what=f"{what}, more than our share of {options.share:.0%}", cure=cure)
        else:
            yield Finding(level=Level.OK, what=what)
    if options.daily_calls is not None:
        yield Finding(level=Level.OK, what=f"ours: {limits.ours()} of {options.daily_calls} calls")


def _finding(error: ConnectorError, *, whole: bool = False) -> Finding:
    """`whole`: nothing at all can be had; otherwise one selection, unless it is the login that is refused."""
    if isinstance(error, Unusable):
        return Finding(level=Level.ERROR, what=str(error), cure=error.cure)
    if not isinstance(error, Halt):
        return Finding(level=Level.ERROR, what=str(error), cure=_AGAIN, passing=True)
    trouble = error.trouble if whole or error.trouble is not Trouble.MISCONFIGURED else None
    return Finding(level=Level.ERROR, what=str(error), cure=error.cure, trouble=trouble)
