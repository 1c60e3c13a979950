"""Is what a provider found usable, and by the operator's policy? Pure; how texts are read is in `syncd.people`."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from syncd.config import FieldPolicy, Prefer
from syncd.contract.model import BROUGHT, Candidate, Field, Grade, Identity
from syncd.frozen import frozen
from syncd.people import emails, employers
from syncd.people.lines import Kind
from syncd.people.unusable import Unusable

if TYPE_CHECKING:
    from syncd.people.phones import Phone

RANK = {
    grade: rank
    for rank, grade in enumerate((Grade.INVALID, Grade.UNKNOWN, Grade.CATCH_ALL, Grade.PROBABLE, Grade.VALID))
}
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
    """A candidate with the grade that counts and what it is worth: usable, or why not. `lowered`: why the grade is
    lower than the provider's."""

    candidate: Candidate
    value: Usable | None
    why: str = ""
    lowered: str = ""


@frozen(kw_only=True)
class Checks:
    """What is looked at beyond the provider's word. `refuses`: is it known that a domain takes no mail? `employer`:
    a work address is to be on the employer's domain."""

    refuses: Callable[[str], bool] | None = None
    employer: bool = False


NO_CHECKS = Checks()


def judge(
    field: Field,
    candidates: Iterable[Candidate],
    contact: Identity,
    policy: FieldPolicy,
    checks: Checks = NO_CHECKS,
) -> list[Judged]:
    """Each candidate, those that may be written first, in the order of preference."""
    judged = []
    for one in candidates:
        grade, why = counted(field, one, contact, checks)
        graded = replace(one, grade=grade) if why else one
        judged.append(_judge(field, graded, contact, policy, lowered=why))
    return sorted(judged, key=lambda one: _rank(one, policy))


def counted(field: Field, candidate: Candidate, contact: Identity, checks: Checks) -> tuple[Grade, str]:
    """The grade that counts; and why it is lower than the provider's, or ""."""
    most, why = _at_most(candidate.value, contact, checks) if field is Field.EMAIL else (Grade.VALID, "")
    if RANK[candidate.grade] <= RANK[most]:
        return candidate.grade, ""
    return most, f"lowered from {candidate.grade}: {why}"


def _at_most(value: str, contact: Identity, checks: Checks) -> tuple[Grade, str]:
    """The best grade that a mailbox can have, and what speaks against a better one."""
    found = emails.read(value) if checks is not NO_CHECKS else None
    if not isinstance(found, emails.Mailbox):
        return Grade.VALID, ""
    if checks.refuses is not None and checks.refuses(mail_host(found.address)):
        return Grade.INVALID, "its domain takes no mail"
    if checks.employer and found.kind is not emails.Kind.PERSONAL and _is_elsewhere(found, contact):
        return Grade.PROBABLE, "on another domain than the company's"
    return Grade.VALID, ""


def mail_host(address: str) -> str:
    return address.rpartition("@")[2].casefold()


def _rank(one: Judged, policy: FieldPolicy) -> tuple[bool, bool]:
    mobile = one.value is not None and one.value.kind in {Kind.MOBILE, Kind.EITHER}
    return one.value is None, policy.prefer is Prefer.MOBILE and not mobile


def _judge(field: Field, candidate: Candidate, contact: Identity, policy: FieldPolicy, *, lowered: str) -> Judged:
    if candidate.grade not in policy.accept:
        because = f" ({lowered})" if lowered else ""
        return Judged(candidate, None, f"{candidate.grade} only{because}", lowered)
    value = _email(candidate, contact, policy) if field is Field.EMAIL else _phone(candidate, contact, policy)
    if isinstance(value, Usable):
        return Judged(candidate, value, lowered=lowered)
    return Judged(candidate, None, value.why, lowered)


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
    return ("on another domain than the company's",) if _is_elsewhere(found, contact) else ()


def _is_elsewhere(found: emails.Mailbox, contact: Identity) -> bool:
    employer = employers.domain(contact.domain) if contact.domain else None
    return employer is not None and employers.domain(mail_host(found.address)) != employer


def _phone(candidate: Candidate, contact: Identity, policy: FieldPolicy) -> Usable | Unusable:
    from syncd.people import phones  # noqa: PLC0415 - imported at the first number: 1.4 MB

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
    from syncd.people import phones  # noqa: PLC0415 - imported at the first number: 1.4 MB

    countries = (contact.country, contact.employer_country) if contact else ()
    return phones.same(one, other, countries=countries)
