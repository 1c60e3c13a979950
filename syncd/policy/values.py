"""Is what a provider found usable, and by the operator's policy? Pure; how texts are read is in `syncd.people`."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from syncd.config import FieldPolicy, Prefer
from syncd.contract.model import BROUGHT, Candidate, Field, Identity
from syncd.frozen import frozen
from syncd.people import emails, employers, phones
from syncd.people.phones import Kind, Phone
from syncd.people.unusable import Unusable

_LINES = {"mobile": Kind.MOBILE, "fixed": Kind.FIXED, "voip": Kind.VOIP}


@frozen(kw_only=True)
class Usable:
    """A candidate that may be written: the text, the property's field, and what is to be said of it."""

    text: str
    field: Field
    kind: str  # "" where it is not known
    remarks: tuple[str, ...] = ()


@frozen()
class Judged:
    """A candidate with what it is worth: usable, or why not."""

    candidate: Candidate
    value: Usable | None
    why: str = ""


def judge(field: Field, candidates: Iterable[Candidate], contact: Identity, policy: FieldPolicy) -> list[Judged]:
    """Each candidate, those that may be written first, in the order of preference."""
    judged = [_judge(field, candidate, contact, policy) for candidate in candidates]
    return sorted(judged, key=lambda one: _rank(one, policy))


def _rank(one: Judged, policy: FieldPolicy) -> tuple[bool, bool]:
    mobile = one.value is not None and one.value.kind in {Kind.MOBILE, Kind.EITHER}
    return one.value is None, policy.prefer is Prefer.MOBILE and not mobile


def _judge(field: Field, candidate: Candidate, contact: Identity, policy: FieldPolicy) -> Judged:
    if candidate.grade not in policy.accept:
        return Judged(candidate, None, f"{candidate.grade} only")
    value = _email(candidate, contact, policy) if field is Field.EMAIL else _phone(candidate, contact, policy)
    return Judged(candidate, value) if isinstance(value, Usable) else Judged(candidate, None, value.why)


def _email(candidate: Candidate, contact: Identity, policy: FieldPolicy) -> Usable | Unusable:
    found = emails.read(candidate.value)
    if isinstance(found, Unusable):
        return found
    if found.kind not in policy.kinds:
        return Unusable(f"a {found.kind} address, which is not accepted")
    remarks = (*found.remarks, *_domain_remark(found, contact))
    return Usable(text=found.address, field=Field.EMAIL, kind=found.kind, remarks=remarks)


def _domain_remark(found: emails.Mailbox, contact: Identity) -> Sequence[str]:
    if found.kind is emails.Kind.PERSONAL:
        return ("a personal address",)
    employer = employers.domain(contact.domain) if contact.domain else None
    other = employer is not None and employers.domain(found.address.rpartition("@")[2]) != employer
    return ("on another domain than the company's",) if other else ()


def _phone(candidate: Candidate, contact: Identity, policy: FieldPolicy) -> Usable | Unusable:
    found = phones.read(
        candidate.value, region=candidate.region, countries=_countries(contact), said=_LINES.get(candidate.line)
    )
    if isinstance(found, Unusable):
        return found
    if not _accepted(found, policy.kinds):
        return Unusable(f"a {found.kind} number, which is not accepted")
    routed = policy.mobile is not None and found.kind is Kind.MOBILE
    return Usable(
        text=found.written(policy.format.value),
        field=Field.MOBILE if routed else Field.PHONE,
        kind=found.kind or "",
        remarks=found.remarks,
    )


def _accepted(found: Phone, kinds: frozenset[str]) -> bool:
    """A number that may be of either kind is accepted with either; one of no known kind always."""
    if found.kind is Kind.EITHER:
        return bool(kinds & {"mobile", "fixed"})
    return found.kind is None or found.kind in kinds


def _countries(contact: Identity) -> tuple[tuple[str, str | None], ...]:
    return (("the contact's", contact.country), ("the company's", contact.employer_country))


def same(field: Field, one: str, other: str, contact: Identity | None = None) -> bool:
    """Is it the same value, however a CRM or a workflow has reworded it?"""
    if one.strip() == other.strip():
        return True
    if field is Field.EMAIL:
        return emails.same(one, other)
    if field in BROUGHT:
        return one.strip().rstrip("/").casefold() == other.strip().rstrip("/").casefold()
    countries = (contact.country, contact.employer_country) if contact else ()
    return phones.same(one, other, countries=countries)
