"""The words of the population: what is true of a person, and what a CRM holds about them.

How people are made up is in `population`, how vendors look them up in `world`. Nothing acts here.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass, field
from enum import StrEnum
from urllib.parse import quote, unquote, urlsplit

EMAIL, PHONE = "email", "phone"
FIELDS = (EMAIL, PHONE)
STATUSES = ("valid", "probable", "catch_all", "unknown", "invalid")  # the sandbox's own scale

_LIGATURES = str.maketrans({"ø": "o", "æ": "ae", "ł": "l", "đ": "d", "œ": "oe"})
_PROFILE = re.compile(r"/(?:mwlite/)?in/([^/]+)/?$", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Find:
    """A value some vendor would find. Phones are E.164 and always `valid`: vendors don't grade them."""

    value: str
    status: str  # one of STATUSES
    region: str | None = None  # phones: ISO 3166 alpha-2
    line_type: str | None = None  # phones: mobile | landline | voip
    usable: bool = True  # False: no value for a person, whatever the vendor says of it (info@, +1 000 000 0000)


@dataclass(slots=True)
class Person:
    """The truth about somebody. `finds`: (vendor, field) to what it would find, best first."""

    key: str
    first_name: str
    last_name: str
    company: str
    domain: str
    linkedin_url: str | None
    country: str  # ISO 3166 alpha-2
    finds: dict[tuple[str, str], tuple[Find, ...]] = field(default_factory=dict)
    emails: tuple[str, ...] = ()  # addresses that are theirs and that a CRM may hold
    phones: tuple[str, ...] = ()
    also_named: tuple[tuple[str, str], ...] = ()  # first and last names under which vendors know them as well
    former_profile: str | None = None  # an address of their profile that leads to the new one
    former: tuple[str, str] | None = None  # company and domain of the employer before
    no_employers: tuple[str, ...] = ()  # what is no employer of theirs, yet vendors find them by it and their name
    shared_mailboxes: tuple[str, ...] = ()  # addresses of several people by which vendors may find them


class Quirk(StrEnum):
    """What makes a CRM record special. `Record.quirk_field` says which field it is about."""

    OPTED_OUT = "opted_out"  # asked not to be mailed
    CLEARED = "cleared"  # a colleague emptied the field on purpose; the history shows it
    CONFLICT = "conflict"  # another contact holds the e-mail that vendors find
    CONFLICT_ADDITIONAL = "conflict_additional"  # … as one of its additional e-mails
    HOLDER = "holder"  # that other contact
    TWICE = "twice"  # the same person is in the CRM twice, lacking the same
    EDIT_AFTER_PULL = "edit_after_pull"  # a colleague fills the field soon after it was first seen
    EDIT_BETWEEN = "edit_between"  # … just before the first write to it is carried out
    DELETED = "deleted"  # deleted soon after it was first seen
    MERGED = "merged"  # merged with its HOLDER, which lacks nothing, soon after it was first seen


class Trait(StrEnum):
    """What only Salesforce has records be. A record has a quirk or a trait or neither."""

    CONVERTED = "converted"  # a lead that became a contact long ago; it is read-only
    CONVERTS = "converts"  # a lead that is converted soon after it was first seen
    PERSON_ACCOUNT = "person_account"  # the contact half of a person account, in an org that has those
    BOUNCED = "bounced"  # mail to its address came back
    DO_NOT_CALL = "do_not_call"  # asked not to be called


class Case(StrEnum):
    """Why it is hard to tell whose values a record's are, or which of them can be used."""

    NAMESAKES = "namesakes"  # two people of one name with mailboxes at one provider of such
    PLACEHOLDER = "placeholder"  # two people of one name; their company is a placeholder, one has a profile
    SHARED_HOST = "shared_host"  # two people of one name; their website is a host that many share
    PASTED_PROFILE = "pasted_profile"  # two people, the first has the other's profile
    SHARED_MAILBOX = "shared_mailbox"  # three people with one address (Salesforce: HubSpot's are unique)
    JOB_CHANGER = "job_changer"  # the CRM names the former employer; two of them, one has a profile
    RENAMED_HANDLE = "renamed_handle"  # the profile has a new address, which vendors tell
    NICKNAME = "nickname"  # Bob in the CRM, Robert at the vendors
    PARTICLE = "particle"  # van den Berg in the CRM, Vandenberg at the vendors
    NAME_SWAPPED = "name_swapped"  # the first name is in the field of the last name
    SPELLED_TWICE = "spelled_twice"  # in both CRMs, the name typed with other accents or apostrophes
    COMPANY_ONLY = "company_only"  # in HubSpot with company and domain, in Salesforce a lead with the company alone
    UNDIALABLE = "undialable"  # vendors offer a number that nobody can call before a good one
    LANDLINE_FIRST = "landline_first"  # vendors offer a landline before the mobile
    UNUSABLE_EMAIL = "unusable_email"  # vendors offer info@, no-reply@ or a masked address before a good one
    FILLER = "filler"  # the name is none: Test Test
    CHANGES_HANDS = "changes_hands"  # soon after it was first seen, a colleague makes it another person's record
    OPTED_OUT_ELSEWHERE = "opted_out_elsewhere"  # in both CRMs; the person opted out in HubSpot


@dataclass(frozen=True, slots=True)
class Employer:
    """A company record of the CRM."""

    number: int
    name: str
    domain: str
    country: str


@dataclass(slots=True)
class Record:
    """A contact as the CRM holds it at the start; blank is None. `number` counts from 0."""

    number: int
    person: Person
    first_name: str | None
    last_name: str | None
    company: str | None
    website: str | None
    linkedin_url: str | None  # as somebody typed it
    country: str
    job_title: str
    employer: Employer | None  # the associated company record
    email: str | None = None
    phone: str | None = None
    mobile: str | None = None
    other_emails: tuple[str, ...] = ()
    quirk: Quirk | None = None
    quirk_field: str = ""
    quirk_value: str = ""  # the colleague's value, the cleared value, the e-mail in conflict
    twin: int | None = None  # number of the other record of the same person
    kind: str = "contact"  # contact | lead
    trait: Trait | None = None
    case: Case | None = None
    becomes: Person | None = None  # CHANGES_HANDS: whose record it will be

    def lacks(self, field_name: str) -> bool:
        """Whether this field is blank at the start; a mobile number counts as a phone."""
        return not self.email if field_name == EMAIL else not (self.phone or self.mobile)


@dataclass(frozen=True, slots=True)
class Ending:
    """How a record ended up in the CRM. Blank is None."""

    id: str  # the CRM's
    email: str | None = None
    phone: str | None = None
    mobile: str | None = None
    gone: bool = False
    merged: bool = False  # it now shares its values with the record it was merged with
    edits: dict[str, str] = field(default_factory=dict)  # field to what a colleague set it to, "" if cleared
    refused: frozenset[str] = frozenset()  # fields for which the CRM would not take a value
    closed: frozenset[str] = frozenset()  # fields of which the CRM tells clients that they must not be filled
    unmarked: bool = False  # the CRM does not tell clients what is special of the record
    disturbed: str = ""  # something else that a client's write changed and should not have
    handed_over: bool = False  # it is the record of `Record.becomes` now
    early: frozenset[str] = frozenset()  # fields that a client had written before that

    def value(self, field_name: str) -> str | None:
        """The e-mail, or the phone: a mobile number counts as one."""
        return self.email if field_name == EMAIL else self.phone or self.mobile


def tidy(raw: str | None) -> str:
    """One form for names: NFC, single spaces, without case. Blank for None."""
    return " ".join(unicodedata.normalize("NFC", raw or "").split()).casefold()


def fold(raw: str | None) -> str:
    """A name as vendors compare it: letters and digits only, without case, accents and ligatures."""
    plain = unicodedata.normalize("NFKD", (raw or "").casefold().translate(_LIGATURES))
    return "".join(one for one in plain if one.isalnum())


def profile(raw: str | None) -> str | None:
    """The one form of a personal LinkedIn address; None for company pages, leads and other sites."""
    text = (raw or "").strip()
    if not text or " " in text:
        return None
    try:
        parts = urlsplit(text if "//" in text else f"https://{text}")
    except ValueError:
        return None
    host = (parts.hostname or "").lower()
    found = _PROFILE.match(parts.path)
    if found is None or not (host == "linkedin.com" or host.endswith(".linkedin.com")):
        return None
    handle = unquote(found[1])
    handle = handle if handle.startswith("ACwAA") else handle.lower()
    return f"https://www.linkedin.com/in/{quote(handle, safe='-_.~')}"


def host(raw: str | None) -> str | None:
    """The bare host name of a web address, an e-mail address or a host name; None for anything else."""
    text = (raw or "").strip().lower().rsplit("@", 1)[-1]
    try:
        name = urlsplit(text if "//" in text else f"//{text}").hostname or ""
    except ValueError:
        return None
    name = name.rstrip(".").removeprefix("www.")
    return name if "." in name and " " not in name else None


def digits(raw: str | None) -> str:
    """A phone number's digits: how two wordings of one number are compared."""
    return re.sub(r"\D", "", raw or "")
