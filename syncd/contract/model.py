"""The vocabulary: one word per thing, the same in code, logs, ledger and documents.

Everything here is an immutable value. Nothing here acts.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import field
from dataclasses import field as beside  # where a part is called `field`
from decimal import Decimal
from enum import StrEnum
from typing import Any, Self

from syncd.frozen import frozen
from syncd.people.identity import BLANK
from syncd.people.identity import Identity as Identity  # noqa: PLC0414 - a word of the contract, too

from .errors import Trouble


class Field(StrEnum):
    """What syncd fills on a contact. Those in `ASKED` are bought; the others come along with an answer."""

    EMAIL = "email"
    PHONE = "phone"
    MOBILE = "mobile"  # where mobile numbers have a property of their own
    LINKEDIN = "linkedin"  # the profile's address
    TITLE = "job_title"
    COMPANY = "company"  # the employer's name
    DOMAIN = "company_domain"


ASKED = (Field.EMAIL, Field.PHONE)
BROUGHT = {  # what an answer says of the person beside what was asked for, and where an Identity has it
    Field.LINKEDIN: "linkedin_url",
    Field.TITLE: "title",
    Field.COMPANY: "company",
    Field.DOMAIN: "domain",
}
EXTRAS = {
    Field.MOBILE: "fields.phone.mobile",
    **{one: f"extras.{one}" for one in BROUGHT},
}  # and where a sync names their property


class Grade(StrEnum):
    """How far a value may be trusted: every vendor's status word is mapped to this one scale."""

    VALID = "valid"
    PROBABLE = "probable"
    CATCH_ALL = "catch_all"
    UNKNOWN = "unknown"
    INVALID = "invalid"


# --- the CRM's side ---------------------------------------------------------------------------


@frozen(kw_only=True)
class ContactRef:
    """Where a contact stands: `connection/object/id`, for example `hubspot-eu/contacts/501`."""

    connection: str
    object: str
    id: str

    def __str__(self) -> str:
        return f"{self.connection}/{self.object}/{self.id}"

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read `connection/object/id`; raises ValueError with the expected form."""
        parts = text.split("/")
        if len(parts) != 3 or not all(parts):
            raise ValueError(
                f"{text!r} is not a contact: write connection/object/id, for example hubspot-eu/contacts/501"
            )
        return cls(connection=parts[0], object=parts[1], id=parts[2])


@frozen(kw_only=True)
class FieldMap:
    """Which CRM property a field is written to, and which others also count as having it."""

    property: str
    also: tuple[str, ...] = ()


@frozen(kw_only=True)
class Selection:
    """Which records of which object a sync is about, and where its fields live in the CRM."""

    object: str
    fields: Mapping[Field, FieldMap]  # of ASKED: a record that lacks one of them is pulled
    match: Mapping[str, Any] = field(default_factory=dict)  # the CRM's own filter terms
    extras: Mapping[Field, FieldMap] = field(default_factory=dict)  # written too, but nothing is pulled for them
    stamps: Mapping[str, str] = field(default_factory=dict)  # set along with a value: what they tell of it, and where
    legal_basis: str = ""  # the words that are set along with a first value, where the record names no legal basis
    request: str = ""  # a checkbox: whose is ticked is pulled, whatever else the record holds
    # Every property that may be written: read with history, guarded and compared alike.
    writable: Mapping[Field, FieldMap] = field(init=False, compare=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "writable", {**self.fields, **self.extras})


class Told(StrEnum):
    """What can be told of a value in the CRM, beside it: each in a property of its own."""

    SOURCE = "source"  # who found it
    AT = "at"  # when it was written: a moment
    STATUS = "status"  # how good it is
    RUN = "run"  # in which run it was written


OPT_OUTS = frozenset({
    "opted_out",  # of this channel: no e-mail, no calls
    "enrichment_opt_out",  # of being enriched at all
    "processing_opt_out",  # of any processing, or to be forgotten
})  # fmt: skip


@frozen(kw_only=True)
class Contact:
    """One record as the CRM held it when it was pulled.

    `values` has only the fields that hold something. `blocked` names fields that must not be
    filled, each with a short reason (`opted_out`, `cleared_by_person` …). A reason of `OPT_OUTS` is
    told of a filled field too: it speaks of the person, whose other records are left alone as well. `requested`: the
    selection's checkbox is ticked.
    """

    ref: ContactRef
    revision: str  # the CRM's own last-modified stamp: compared for equality only
    identity: Identity
    values: Mapping[Field, str] = field(default_factory=dict)
    blocked: Mapping[Field, str] = field(default_factory=dict)
    requested: bool = False


@frozen(kw_only=True)
class Page:
    """Some contacts, and the cursor to go on from once they are stored.

    `cursor` is opaque JSON-able data of the connector. `stale` counts records that the CRM's
    search nominated and that turned out to lack nothing.
    """

    contacts: tuple[Contact, ...]
    cursor: Mapping[str, Any]
    stale: int = 0


class Author(StrEnum):
    """Who wrote a version of a value. When a CRM's word is not known, it is PERSON: the safe side."""

    PERSON = "person"
    MACHINE = "machine"  # any program, ourselves included


@frozen(kw_only=True)
class Version:
    """One entry of a property's history. `value` is "" where it was cleared."""

    value: str
    at: str  # the CRM's stamp, sortable as text among stamps of the same CRM
    by: Author


def cleared_by_person(versions: Sequence[Version]) -> bool:
    """Whether a property is blank because a person wants it so; `versions` newest first.

    A machine that covered a clearing and put it back has changed nothing about whose it is.
    """
    past = list(versions)
    while past and not past[0].value.strip():
        if past.pop(0).by is Author.PERSON:
            return True
        while past and past[0].value.strip() and past[0].by is Author.MACHINE:
            past.pop(0)
    return False


@frozen(kw_only=True)
class Snapshot:
    """A contact's fields read freshly from the CRM's primary store, just before or after a write.

    `ref` is the one that was asked for; `current` is where the record stands now (another id after
    a merge), or None when it is gone. `versions` is newest first, per field, where the CRM keeps
    history; empty where it keeps none. `identity` is who the record is about now, as far as the
    record itself says (what an associated company adds may be missing); None where nothing was read.
    `legal_basis`: what the property of the CRM's capability `legal_basis` holds; None where there is none.
    `changed_at`, from CRMs that may keep no history of a field: when anybody, ourselves included, last changed the
    record; sortable among the stamps of `versions`. "" from all others.
    """

    ref: ContactRef
    current: ContactRef | None
    revision: str = ""
    identity: Identity | None = None
    values: Mapping[Field, str] = field(default_factory=dict)  # the mapped property itself
    elsewhere: frozenset[Field] = frozenset()  # fields that an `also` property already holds
    blocked: Mapping[Field, str] = field(default_factory=dict)
    versions: Mapping[Field, tuple[Version, ...]] = field(default_factory=dict)
    changed_at: str = ""
    legal_basis: str | None = None


@frozen(kw_only=True)
class Change:
    """A compare-and-set: put `new` where `expected` still stands ("" is blank on both sides).

    `along`: other properties of the record that are set in the same update ("" clears), where they are there and may be
    written: whatever is wrong with them, the change itself is carried out. They are set, too, where `new` is `expected`
    and so nothing is to be changed.
    """

    ref: ContactRef
    field: Field
    expected: str
    new: str
    revision: str = ""  # of the snapshot that the decision was made on
    along: Mapping[str, str] = beside(default_factory=dict)


class WriteStatus(StrEnum):
    """What became of a Change."""

    WRITTEN = "written"
    MOVED_ON = "moved_on"  # somebody changed the record first: read again and decide again
    GONE = "gone"  # deleted, or no longer visible
    DUPLICATE = "duplicate"  # another record holds this value; `holder` is its id where known
    INVALID = "invalid"  # this very value will never be taken: malformed, too long; `detail` is the CRM's reason
    REFUSED = "refused"  # a rule, a right or the record's state forbids it for now; `detail` is the CRM's reason
    RETRY = "retry"  # not written; the same again later
    UNKNOWN = "unknown"  # may have been written: read before anything else


@frozen(kw_only=True)
class WriteOutcome:
    """One per Change, in any order: matched by `ref` and `field`."""

    ref: ContactRef
    field: Field
    status: WriteStatus
    detail: str = ""  # for people; no values, no secrets
    holder: str | None = None


# --- the provider's side ----------------------------------------------------------------------


@frozen(kw_only=True)
class Question:
    """One way in which a provider can be asked about somebody: exactly what it would be told.

    `way` names it among the provider's ways (`profile`, `name` …). Two questions are identical when
    provider, field and `told` are.
    """

    way: str
    told: Identity


@frozen(kw_only=True)
class EnrichmentRequest:
    """One question about one person. `id` is ours, random, and comes back with the answer.

    `identity`: for `Provider.questions` and `lacks` all that is known; in a submission what is told. `known`: when an
    answer is read, all that is known of the contact by then, for telling whether an unsigned one is to be believed.
    """

    id: str
    ref: ContactRef
    identity: Identity
    fields: tuple[Field, ...]
    known: Identity = BLANK


@frozen(kw_only=True)
class Submission:
    """One paid call: one request, or a bulk of them. Its intent is on disk before it is sent."""

    id: str
    requests: tuple[EnrichmentRequest, ...]
    callback_url: str  # carries the CRM's ids where there is one request, and a MAC always
    contact_url: str = ""  # the same, for events about single contacts of a bulk
    label: str = ""  # for people, in the provider's own lists: sync, date, first contact, number of contacts
    provider_id: str | None = None  # the provider's job id, once known


@frozen(kw_only=True)
class Receipt:
    """The provider accepted a submission. `body` is set when the answer already holds the result."""

    provider_id: str | None = None
    body: bytes | None = None


class Source(StrEnum):
    """How a delivery reached us."""

    CALLBACK = "callback"
    POLL = "poll"
    RECEIPT = "receipt"  # the answer to the submission itself


CONTACT_EVENT = "contact"


@frozen(kw_only=True)
class Delivery:
    """A raw answer, as it came. Stored before it is understood."""

    submission_id: str
    source: Source
    body: bytes
    headers: Mapping[str, str] = field(default_factory=dict)  # lower-case names
    ref: ContactRef | None = None  # what a genuine callback address says it is about, where that is one
    field: Field | None = None
    part: str = ""  # CONTACT_EVENT where it came to `Submission.contact_url`


@frozen(kw_only=True)
class Candidate:
    """A value that a provider found, as it said it. The best one comes first."""

    value: str
    grade: Grade
    word: str = ""  # the provider's own status word
    region: str | None = None  # ISO 3166 alpha-2, phones only: as the provider said, never guessed
    line: str = ""  # phones: mobile, fixed or voip, where the provider said so
    note: str = ""  # an ownership mismatch …


class Outcome(StrEnum):
    """What a provider's answer says about one field of one request."""

    FOUND = "found"  # there are candidates; whether one is acceptable is not the provider's to say
    NOT_FOUND = "not_found"
    SKIPPED = "skipped"  # the provider did not take this person on
    NO_CREDITS = "no_credits"  # undetermined: the credits ran out
    FAILED = "failed"  # undetermined: the provider says that it failed; what it does not tell of the charge may come
    MISSING = "missing"  # a final answer that does not speak of this request, or none in time
    UNRESOLVED = "unresolved"  # in doubt for as long as the operator wanted to wait


@frozen(kw_only=True)
class EnrichmentResult:
    """A provider's answer to one field of one request.

    `said`: what the answer says of the person, one Identity for each place that speaks of them (an
    echo of what was asked, the person found). Whether that is the person who was meant is decided
    elsewhere, against all that is known of the contact.
    """

    request_id: str
    field: Field
    outcome: Outcome
    candidates: tuple[Candidate, ...] = ()
    said: tuple[Identity, ...] = ()
    note: str = ""


@frozen(kw_only=True)
class Answer:
    """What a delivery says, in our words.

    `final`: the provider will say no more about this submission. `charged`: credits billed for the
    whole submission, known only with a final answer; None when the provider did not say.
    `running`: nothing to take yet. `unmatched`: items that belong to no request of this submission.
    """

    results: tuple[EnrichmentResult, ...] = ()
    final: bool = False
    running: bool = False
    charged: Decimal | None = None
    provider_id: str | None = None
    unmatched: int = 0
    note: str = ""


# --- what both sides report -------------------------------------------------------------------


class Level(StrEnum):
    """How much a finding matters: only ERROR stops `syncd run`."""

    OK = "ok"
    WARNING = "warning"
    ERROR = "error"


@frozen(kw_only=True)
class Finding:
    """One line of `syncd check`: what is so, and what to do about it.

    Of an error: `trouble` halts the whole connection, reading too; `passing` says nothing of the rights,
    only that they could not be looked at now (an outage, a rate limit). `selection`: which of the selections that were
    asked about it concerns, by position; None: the whole connection. `at`: the key in that sync that says it, such as
    `match` or `fields.email.property`. `code`: its entry in the list of errors; connectors leave it out.
    """

    level: Level
    what: str
    cure: str = ""
    trouble: Trouble | None = None
    passing: bool = False
    selection: int | None = None
    at: str = ""
    code: str = ""
