"""What tells that two records are one person, and what speaks against it.

All evidence stands in the table `EVIDENCE`: a new kind (a tax number among `Identity.others`, say) is one entry there,
for records and for answers alike. Strong evidence is enough alone. Medium evidence is a name at an employer: it is
enough between records of two CRMs, unless something contradicts it. How many records unite by it is the business of
`groups`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from enum import StrEnum
from functools import lru_cache

from syncd.frozen import frozen

from . import countries, emails, employers, names
from .identity import Identity
from .names import Agreement, Name

Keys = tuple[str, ...]


class Weight(StrEnum):
    """How far a piece of evidence goes."""

    STRONG = "strong"
    MEDIUM = "medium"
    SUPPORT = "support"  # speaks for or against, and unites nobody


@frozen()
class Evidence:
    """One kind: `keys` are an identity's normal forms of it. Two identities that share one agree.

    `contradicts`: given the keys of two records that share none, are they two people? None where that says nothing.
    `comparable`: can such keys be compared at all? (An answer with another one is doubtful only then.)
    """

    name: str
    weight: Weight
    keys: Callable[[Identity], Keys]
    contradicts: Callable[[Keys, Keys], bool] | None = None
    comparable: Callable[[Keys, Keys], bool] = lambda _one, _other: True


def _profile(known: Identity) -> Keys:
    return (known.linkedin_url,) if known.linkedin_url else ()


def _two_profiles(one: Keys, other: Keys) -> bool:
    """A member id (`/in/ACwAA…`) can be the same profile as a handle that was chosen."""
    return is_member_id(one[0]) == is_member_id(other[0])


def is_member_id(profile: str) -> bool:
    """Is it LinkedIn's own id instead of a handle?"""
    return "/in/ACw" in profile or "/in/ACo" in profile


@lru_cache(maxsize=4096)
def _mailbox(address: str) -> str | None:
    """One form of a mailbox that is one person's; None for a role's."""
    tidy = address.strip().casefold()
    return None if "@" not in tidy or emails.is_role(tidy) else tidy


def mailboxes(known: Identity) -> Keys:
    """Every mailbox that is this person's own, in one form."""
    if not known.emails:
        one = _mailbox(known.email) if known.email else None
        return (one,) if one else ()
    found = (_mailbox(address) for address in (known.email, *known.emails) if address)
    return tuple(dict.fromkeys(address for address in found if address))


def _name_at_domain(known: Identity) -> Keys:
    name = names.key(known.first_name, known.last_name)
    domain = employers.domain(known.domain) if name and known.domain else None
    return (f"{name} @ {domain}",) if domain else ()


def _name_at_company(known: Identity) -> Keys:
    name = names.key(known.first_name, known.last_name)
    company = employers.company_key(known.company) if name and known.company else None
    return (f"{name} at {company}",) if company else ()


def _mobiles(known: Identity) -> Keys:
    read = (_number(number, known.country or known.employer_country) for number in known.phones)
    return tuple(number for number, mobile in filter(None, read) if mobile)


@lru_cache(maxsize=4096)
def _number(raw: str, country: str | None) -> tuple[str, bool] | None:
    from . import phones  # noqa: PLC0415 - imported at the first number: 1.4 MB

    found = phones.read(raw, countries=(("", country),))
    return (found.e164, found.kind is phones.Kind.MOBILE) if isinstance(found, phones.Phone) else None


def _country(known: Identity) -> Keys:
    code = countries.code(known.country)
    return (code,) if code else ()


def _work_mailboxes(known: Identity) -> Keys:
    """Mailboxes at the employer: one person has one of them (an alias is not told from a namesake)."""
    domain = employers.domain(known.domain) if known.domain else None
    if domain is None:
        return ()
    return tuple(m for m in mailboxes(known) if employers.domain(m.rpartition("@")[2]) == domain)


def _domain(known: Identity) -> Keys:
    domain = employers.domain(known.domain) if known.domain else None
    return (domain,) if domain else ()


def _always(_one: Keys, _other: Keys) -> bool:
    return True


EVIDENCE = (
    Evidence("profile", Weight.STRONG, _profile, _two_profiles, comparable=_two_profiles),
    Evidence("mailbox", Weight.STRONG, mailboxes),
    Evidence("name at the employer's domain", Weight.MEDIUM, _name_at_domain),
    Evidence("name at the company", Weight.MEDIUM, _name_at_company),
    Evidence("work mailbox", Weight.SUPPORT, _work_mailboxes, _always),
    Evidence("mobile number", Weight.SUPPORT, _mobiles, _always),
    Evidence("country", Weight.SUPPORT, _country, _always),
    Evidence("employer's domain", Weight.SUPPORT, _domain),
)
STRONG = tuple(one for one in EVIDENCE if one.weight is Weight.STRONG)
MEDIUM = tuple(one for one in EVIDENCE if one.weight is Weight.MEDIUM)


class Sameness(StrEnum):
    """Are two records one person?"""

    SAME = "same"
    UNKNOWN = "unknown"
    DIFFERENT = "different"


@frozen()
class Comparison:
    """The verdict on two records, with what speaks for it and what against it."""

    verdict: Sameness
    agrees: tuple[str, ...] = ()
    contradicts: tuple[str, ...] = ()


def name_of(known: Identity) -> Name:
    """The name, as `names` compares it."""
    return Name(first=known.first_name, last=known.last_name, full=known.full_name)


def one_name(one: Identity, other: Identity) -> bool:
    """Can both names be one person's? A surname that was changed by marriage counts; an unknown name does, too."""
    match = names.compare(name_of(one), name_of(other))
    return match.agreement is not Agreement.DIFFERENT and (
        match.agreement is not Agreement.SURNAME_CHANGED or match.plausible_marriage
    )


def keys(known: Identity, kinds: Iterable[Evidence] = (*STRONG, *MEDIUM)) -> list[tuple[Evidence, str]]:
    """What an identity can be recognised by."""
    return [(kind, key) for kind in kinds for key in kind.keys(known)]


def contradictions(one: Identity, other: Identity, table: Sequence[Evidence] = EVIDENCE) -> tuple[str, ...]:
    """The kinds of evidence of which both know something, and by which they are two people."""
    found = []
    for kind in table:
        if kind.contradicts is None:
            continue
        ours, theirs = kind.keys(one), kind.keys(other)
        if ours and theirs and not set(ours) & set(theirs) and kind.contradicts(ours, theirs):
            found.append(kind.name)
    return tuple(found)


def agreements(one: Identity, other: Identity, table: Sequence[Evidence] = EVIDENCE) -> tuple[str, ...]:
    """The kinds of evidence in which two identities agree."""
    return tuple(kind.name for kind in table if set(kind.keys(one)) & set(kind.keys(other)))


def compare(one: Identity, other: Identity, *, one_crm: bool, table: Sequence[Evidence] = EVIDENCE) -> Comparison:
    """Are these two records one person? `one_crm`: they stand in the same CRM, which says that they are two."""
    agrees = agreements(one, other, table)
    against = contradictions(one, other, table)
    if any(kind.name in agrees for kind in table if kind.weight is Weight.STRONG):
        named = one_name(one, other)
        return Comparison(
            Sameness.SAME if named else Sameness.UNKNOWN, agrees, against if named else (*against, "name")
        )
    if any(kind.name in agrees for kind in table if kind.weight is Weight.MEDIUM):
        return _by_name(one, other, agrees, against, one_crm=one_crm)
    return Comparison(Sameness.UNKNOWN if one_name(one, other) else Sameness.DIFFERENT, agrees, against)


def _by_name(one: Identity, other: Identity, agrees: Keys, against: Keys, *, one_crm: bool) -> Comparison:
    """The same name at the same employer: a contradiction is a veto, whatever else agrees."""
    if against:
        return Comparison(Sameness.DIFFERENT, agrees, against)
    if one_crm:
        return Comparison(Sameness.UNKNOWN, agrees, ("two records of one CRM",))
    if two_domains(one, other):
        return Comparison(Sameness.UNKNOWN, agrees, ("employer's domain",))
    return Comparison(Sameness.SAME, agrees)


def two_domains(one: Identity, other: Identity) -> bool:
    """Do both have an employer with a domain of its own, and not the same one?"""
    ours, theirs = _domain(one), _domain(other)
    return bool(ours and theirs and ours != theirs)


def became_another(before: Identity, now: Identity) -> bool:
    """Has a record changed so that it is about somebody else?

    A changed name is somebody else's, unless profile or mailbox stay; without names, a changed profile is.
    """
    match = names.compare(name_of(before), name_of(now))
    kept = any(set(kind.keys(before)) & set(kind.keys(now)) for kind in STRONG)
    if match.agreement is Agreement.DIFFERENT:
        return True
    if match.agreement is Agreement.SURNAME_CHANGED:
        return not kept
    nameless = match.agreement is Agreement.UNKNOWN
    return nameless and not kept and bool(contradictions(before, now))


@frozen()
class Learned:
    """What answers that surely are about a contact brought, beside what its record holds."""

    profile: str | None = None
    email: str | None = None


NOTHING = Learned()


def usable(known: Identity, vague: Iterable[str], learned: Learned = NOTHING) -> Identity:
    """What is compared and told: without the profiles and mailboxes that identify nobody (those in `vague`, and what a
    role shares), and with what was learned. A profile of the record's own comes before a learned one."""
    gone = frozenset(vague)
    mine = tuple(address for address in mailboxes(known) if address not in gone)
    own = known.email if known.email and known.email.strip().casefold() in mine else None
    more = (learned.email,) if learned.email and learned.email.casefold() not in mine else ()
    return Identity(  # `dataclasses.replace` takes three times as long
        first_name=known.first_name,
        last_name=known.last_name,
        full_name=known.full_name,
        company=known.company,
        domain=known.domain,
        linkedin_url=(None if known.linkedin_url in gone else known.linkedin_url) or learned.profile,
        email=own or next(iter((*mine, *more)), None),
        country=known.country,
        employer_country=known.employer_country,
        emails=(*mine, *more),
        phones=known.phones,
        shared=tuple(sorted(gone)),
        others=known.others,
    )


def shared_profile(known: Identity) -> Identity:
    """The profile of a usable identity that identifies nobody, as an identity of its own. (A shared mailbox is no
    sign against another one: everybody there has their own as well.)"""
    return Identity(linkedin_url=next((one for one in known.shared if one.startswith("https://")), None))
