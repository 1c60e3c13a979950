"""Which objects the org has, their fields, and what `describe` says of them: the subset that matters here.

Types and lengths are from recorded describes. Field-level security decides per call which fields exist for
the user at all, and which may be written.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from syncd.sandbox.faults import Faults

TEXTS = frozenset({"string", "email", "phone", "url", "picklist", "textarea"})
PREFIXES = {
    "Contact": "003",
    "Lead": "00Q",
    "Account": "001",
    "Individual": "0PK",
    "Campaign": "701",
    "CampaignMember": "00v",
    "User": "005",
    "Organization": "00D",
    "ContactHistory": "017",
    "LeadHistory": "017",
}
FAULTS = {
    "salesforce_field_hidden": "field-level security hides fields, or objects as a whole, while on (parameter: like "
    "Contact.Phone,Lead.Phone,Individual)",
    "salesforce_field_read_only": "field-level security makes fields read-only, while on (parameter: the same)",
    "salesforce_object_read_only": "the user has no right to edit objects, while on (parameter: like Contact,Lead)",
}


@dataclass(frozen=True, slots=True)
class Field:
    """One field. `target`: the object a reference is to; `relation`: how a query follows it."""

    name: str
    type: str = "string"
    length: int = 0
    label: str = ""
    writable: bool = True
    required: bool = False
    target: str = ""
    relation: str = ""
    filterable: bool = True

    def describe(self, *, writable: bool) -> dict[str, Any]:
        """As in the answer to `describe`."""
        return {
            "name": self.name,
            "label": self.label or self.name,
            "type": self.type,
            "length": self.length,
            "custom": self.name.endswith("__c"),
            "updateable": writable,
            "createable": writable,
            "nillable": not self.required and self.type not in {"boolean", "id"},
            "filterable": self.filterable,
            "sortable": self.filterable,
            "calculated": False,
            "referenceTo": [self.target] if self.target else [],
            "relationshipName": self.relation or None,
            "unique": False,
            "externalId": False,
            "picklistValues": [],
        }


def _text(name: str, length: int, label: str = "", **more: Any) -> Field:
    return Field(name, "string", length, label, **more)


def _phone(name: str, label: str) -> Field:
    return Field(name, "phone", 40, label)


def _system(name: str, kind: str, **more: Any) -> Field:
    return Field(name, kind, writable=False, **more)


def _reference(name: str, target: str, relation: str, *, writable: bool = False) -> Field:
    return Field(name, "reference", 18, writable=writable, target=target, relation=relation)


def _record(kind: str) -> list[Field]:
    """What every record has."""
    return [
        _system("Id", "id", length=18),
        _system("IsDeleted", "boolean"),
        _reference("MasterRecordId", kind, "MasterRecord"),
        _system("CreatedDate", "datetime"),
        _reference("CreatedById", "User", "CreatedBy"),
        _system("LastModifiedDate", "datetime"),
        _reference("LastModifiedById", "User", "LastModifiedBy"),
        _system("SystemModstamp", "datetime"),
        _reference("OwnerId", "User", "Owner", writable=True),
    ]


def _human(kind: str) -> list[Field]:
    """What contacts and leads have in common."""
    return [
        *_record(kind),
        _text("LastName", 80, "Last Name", required=True),
        _text("FirstName", 40, "First Name"),
        _text("Name", 121, "Full Name", writable=False),
        _text("Title", 128),
        Field("Email", "email", 80),
        _phone("Phone", "Business Phone" if kind == "Contact" else "Phone"),
        _phone("MobilePhone", "Mobile Phone"),
        _phone("Fax", "Fax"),
        Field("LeadSource", "picklist", 255, "Lead Source"),
        Field("Description", "textarea", 32_000, filterable=False),
        _text("EmailBouncedReason", 255, "Email Bounced Reason", writable=False),
        _system("EmailBouncedDate", "datetime"),
    ]


def _contact() -> list[Field]:
    return [
        *_human("Contact"),
        _reference("AccountId", "Account", "Account", writable=True),
        _text("Department", 80),
        _phone("HomePhone", "Home Phone"),
        _phone("OtherPhone", "Other Phone"),
        _text("MailingCity", 40, "Mailing City"),
        _text("MailingCountry", 80, "Mailing Country"),
        Field("MailingCountryCode", "picklist", 10, "Mailing Country Code"),
        _system("IsEmailBounced", "boolean"),
    ]


def _lead() -> list[Field]:
    return [
        *_human("Lead"),
        _text("Company", 255, required=True),
        Field("Website", "url", 255),
        _text("City", 40),
        _text("Country", 80),
        Field("CountryCode", "picklist", 10, "Country Code"),
        Field("Status", "picklist", 255, "Lead Status", required=True),
        _system("IsConverted", "boolean"),
        _system("ConvertedDate", "date"),
        _reference("ConvertedAccountId", "Account", "ConvertedAccount"),
        _reference("ConvertedContactId", "Contact", "ConvertedContact"),
        _reference("ConvertedOpportunityId", "Opportunity", ""),
    ]


def _account() -> list[Field]:
    return [
        *_record("Account"),
        _text("Name", 255, "Account Name", required=True),
        Field("Website", "url", 255),
        _phone("Phone", "Account Phone"),
        Field("Industry", "picklist", 255),
        _text("BillingCountry", 80, "Billing Country"),
        Field("BillingCountryCode", "picklist", 10, "Billing Country Code"),
    ]


def _campaign() -> list[Field]:
    return [
        *_record("Campaign"),
        _text("Name", 80, "Campaign Name", required=True),
        _system("NumberOfContacts", "int"),
        _system("NumberOfLeads", "int"),
    ]


def _member() -> list[Field]:
    return [
        *_record("CampaignMember"),
        _reference("CampaignId", "Campaign", "Campaign", writable=True),
        _reference("ContactId", "Contact", "Contact", writable=True),
        _reference("LeadId", "Lead", "Lead", writable=True),
        Field("Status", "picklist", 40),
    ]


def _individual() -> list[Field]:
    """A person's preferences (object reference, "Individual"), for all records that refer to it."""
    return [
        *_record("Individual"),
        _text("LastName", 80, "Last Name", required=True),
        _text("FirstName", 40, "First Name"),
        _text("Name", 121, "Name", writable=False),
        Field("HasOptedOutProcessing", "boolean", 0, "Don't Process"),
        Field("HasOptedOutProfiling", "boolean", 0, "Don't Profile"),
        Field("HasOptedOutSolicit", "boolean", 0, "Don't Market"),
        Field("HasOptedOutTracking", "boolean", 0, "Don't Track"),
        Field("ShouldForget", "boolean", 0, "Forget this Individual"),
    ]


def _history(kind: str) -> list[Field]:
    return [
        _system("Id", "id", length=18),
        _system("IsDeleted", "boolean"),
        _reference(f"{kind}Id", kind, kind),
        _reference("CreatedById", "User", "CreatedBy"),
        _system("CreatedDate", "datetime"),
        Field("Field", "picklist", 255, writable=False),
        Field("OldValue", "anyType", writable=False, filterable=False),
        Field("NewValue", "anyType", writable=False, filterable=False),
    ]


_USER = [_system("Id", "id", length=18), _text("Username", 80), _text("Name", 121), Field("Email", "email", 128)]
_ORGANIZATION = [
    _system("Id", "id", length=18),
    _text("Name", 80),
    _system("IsSandbox", "boolean"),
    _text("OrganizationType", 40, writable=False),
]


@dataclass(slots=True)
class Kind:
    """One object: its fields by lower-case name."""

    name: str
    fields: dict[str, Field]

    @property
    def prefix(self) -> str:
        return PREFIXES[self.name]


@dataclass(slots=True)
class Features:
    """What an admin has switched on, which decides what fields and objects there are."""

    opt_outs: bool = False
    individuals: bool = False  # data protection and privacy: contacts and leads refer to individuals
    person_accounts: bool = False
    tracked: frozenset[str] = frozenset()  # names of fields whose history is kept
    linkedin: str = "LinkedIn_Profile__c"  # "" for none
    hidden: frozenset[str] = frozenset()  # from the user, like Contact.Phone, or Individual for the object
    read_only: frozenset[str] = frozenset()


@dataclass(slots=True)
class Schema:
    """All objects of one org."""

    features: Features
    faults: Faults
    kinds: dict[str, Kind] = field(default_factory=dict)  # by lower-case name

    def __post_init__(self) -> None:
        extra = [Field(self.features.linkedin, "url", 255, "LinkedIn profile")] if self.features.linkedin else []
        if self.features.opt_outs:
            extra += [Field("HasOptedOutOfEmail", "boolean", 0, "Email Opt Out"), Field("DoNotCall", "boolean")]
        if self.features.individuals:
            extra += [_reference("IndividualId", "Individual", "Individual", writable=True)]
            self._add("Individual", _individual())
        person = [_system("IsPersonAccount", "boolean")] if self.features.person_accounts else []
        mail = [Field("PersonEmail", "email", 80)] if person else []
        self._add("Contact", [*_contact(), *extra, *person])
        self._add("Lead", [*_lead(), *extra])
        self._add("Account", [*_account(), *person, *mail])
        self._add("Campaign", _campaign())
        self._add("CampaignMember", _member())
        self._add("User", _USER)
        self._add("Organization", _ORGANIZATION)
        for name in ("Contact", "Lead") if self.features.tracked else ():
            self._add(f"{name}History", _history(name))

    def kind(self, name: str) -> Kind | None:
        """By name, whatever its case; None if there is none or the user may not see it."""
        found = self.kinds.get(name.lower())
        return None if found is None or self._has(found.name, "hidden") else found

    def field(self, kind: Kind, name: str) -> Field | None:
        """By name, whatever its case; None if there is none or the user may not see it."""
        found = kind.fields.get(name.lower())
        return None if found is None or self._has(f"{kind.name}.{found.name}", "hidden") else found

    def writable(self, kind: Kind, one: Field) -> bool:
        """Whether the user may write it."""
        return one.writable and not self._has(f"{kind.name}.{one.name}", "read_only")

    def editable(self, kind: Kind) -> bool:
        """Whether the user may edit records of the object, as far as that is a matter of the object."""
        closed = self.faults.setting("salesforce_object_read_only")
        return kind.name in {"Contact", "Lead", "Account"} and kind.name not in (closed or "").split(",")

    def visible(self, kind: Kind) -> list[Field]:
        """All fields the user may see."""
        return [one for one in kind.fields.values() if self.field(kind, one.name) is not None]

    def describe(self, kind: Kind, version: str) -> dict[str, Any]:
        """The answer to `describe`."""
        fields = [one.describe(writable=self.writable(kind, one)) for one in self.visible(kind)]
        return {**self.summary(kind, version), "fields": fields, "recordTypeInfos": [], "childRelationships": []}

    def summary(self, kind: Kind, version: str) -> dict[str, Any]:
        """What the list of all objects says of one."""
        human = kind.name in {"Contact", "Lead", "Account"}
        return {
            "name": kind.name,
            "label": kind.name,
            "keyPrefix": kind.prefix,
            "custom": False,
            "queryable": True,
            "retrieveable": True,
            "updateable": self.editable(kind),
            "deletable": human,
            "createable": False,
            "urls": {
                "sobject": f"/services/data/v{version}/sobjects/{kind.name}",
                "describe": f"/services/data/v{version}/sobjects/{kind.name}/describe",
                "rowTemplate": f"/services/data/v{version}/sobjects/{kind.name}/{{ID}}",
            },
        }

    def _add(self, name: str, fields: Iterable[Field]) -> None:
        self.kinds[name.lower()] = Kind(name, {one.name.lower(): one for one in fields})

    def _has(self, name: str, what: str) -> bool:
        fixed: Mapping[str, frozenset[str]] = {"hidden": self.features.hidden, "read_only": self.features.read_only}
        now = self.faults.setting(f"salesforce_field_{what}")
        return name in fixed[what] or (now is not None and name in now.split(","))
