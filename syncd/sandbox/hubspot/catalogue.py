"""The properties of contacts and companies: their definitions, and which values each takes.

Source: the recorded catalogue of a portal (2022) and HubSpot's page "Properties".
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from .replies import Refusal, error, invalid, iso

# name | type | fieldType | flags (r: read-only value, h: hidden, u: unique, c: calculated) | label
_CONTACT = """
email|string|text|u|Email
phone|string|phonenumber||Phone Number
mobilephone|string|phonenumber||Mobile Phone Number
fax|string|phonenumber||Fax Number
firstname|string|text||First Name
lastname|string|text||Last Name
company|string|text||Company Name
website|string|text||Website URL
jobtitle|string|text||Job Title
country|string|text||Country/Region
hs_country_region_code|string|text||Country/Region Code
city|string|text||City
hs_linkedin_url|string|text||LinkedIn URL
hs_linkedinid|string|text|h|LinkedIn ID
linkedinbio|string|textarea||LinkedIn Bio
linkedinconnections|number|number||LinkedIn Connections
notes_for_colleagues|string|textarea||Notes
work_email|string|text||Work email
hs_additional_emails|enumeration|checkbox|rhc|Additional email addresses
hs_email_domain|string|text|rc|Email Domain
hs_searchable_calculated_phone_number|phone_number|phonenumber|rhc|Calculated phone number without country code
hs_searchable_calculated_mobile_number|phone_number|phonenumber|rhc|Calculated mobile number without country code
hs_email_bounce|number|number|r|Marketing emails bounced
hs_email_optout|bool|booleancheckbox|r|Unsubscribed from all email
hs_email_quarantined|bool|booleancheckbox|rh|Email Address Quarantined
hs_email_bad_address|bool|booleancheckbox|rh|Invalid email address
hs_email_hard_bounce_reason_enum|enumeration|select|r|Email hard bounce reason
hs_contact_enrichment_opt_out|bool|booleancheckbox||Enrichment opt out
hs_legal_basis|enumeration|checkbox||Legal basis for processing contact's data
hs_is_unworked|bool|calculation_equation|rc|Contact unworked
hubspot_owner_id|enumeration|select||Contact owner
lifecyclestage|enumeration|radio||Lifecycle Stage
hs_lead_status|enumeration|radio||Lead Status
associatedcompanyid|number|number|h|Primary Associated Company ID
createdate|datetime|date|r|Create Date
lastmodifieddate|datetime|date|r|Last Modified Date
hs_object_id|number|number|ru|Record ID
hs_all_contact_vids|enumeration|checkbox|rh|All vids for a contact
hs_merged_object_ids|enumeration|checkbox|rh|Merged record IDs
hs_calculated_merged_vids|enumeration|checkbox|rhc|Merged vids with timestamps of a contact
hs_object_source|enumeration|select|rh|Record source
hs_object_source_id|string|text|rh|Record source ID
hs_object_source_label|enumeration|select|r|Record source
hs_updated_by_user_id|number|number|r|Updated by user ID
hs_created_by_user_id|number|number|r|Created by user ID
"""
_COMPANY = """
name|string|text||Company name
domain|string|text||Company Domain Name
website|string|text||Website URL
phone|string|phonenumber||Phone Number
country|string|text||Country/Region
hs_additional_domains|enumeration|checkbox|rh|Additional Domains
createdate|datetime|date|r|Create Date
hs_lastmodifieddate|datetime|date|r|Last Modified Date
hs_object_id|number|number|ru|Record ID
"""
_OPTIONS = {
    "lifecyclestage": ("subscriber", "lead", "marketingqualifiedlead", "salesqualifiedlead", "opportunity", "customer"),
    "hs_lead_status": ("NEW", "OPEN", "IN_PROGRESS", "UNQUALIFIED", "CONNECTED"),
    "hs_legal_basis": ("Legitimate interest - prospect/lead", "Freely given consent from contact", "Not applicable"),
}
_FIELD_TYPES = {
    "string": {"text", "textarea", "html", "phonenumber", "file"},
    "number": {"number", "calculation_equation"},
    "datetime": {"date"},
    "date": {"date"},
    "bool": {"booleancheckbox", "calculation_equation"},
    "enumeration": {"select", "radio", "checkbox", "booleancheckbox"},
    "phone_number": {"phonenumber"},
}
_NAME = re.compile(r"[a-z][a-z0-9_]{0,99}")
_EMAIL = re.compile(
    r"[^@\s\"(),:;<>\[\\\]]{1,64}@((?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)+([a-z]{2,63}))", re.IGNORECASE
)
_TLDS = """
com org net edu gov io co eu fr de uk us ca es it nl be ch at pl pt se no dk fi ie lu info biz test example
"""  # an excerpt, with the reserved ones in which the population lives


@dataclass(frozen=True, slots=True)
class Property:
    """One definition."""

    name: str
    label: str
    type: str
    field_type: str
    group: str
    read_only: bool = False
    hidden: bool = False
    calculated: bool = False
    unique: bool = False
    own: bool = True  # HubSpot's own, not made by an admin or an app
    options: tuple[Mapping[str, Any], ...] = ()
    description: str = ""

    def as_json(self) -> dict[str, Any]:
        return {
            "updatedAt": iso(0),
            "createdAt": iso(0),
            "name": self.name,
            "label": self.label,
            "type": self.type,
            "fieldType": self.field_type,
            "description": self.description,
            "groupName": self.group,
            "options": list(self.options),
            "displayOrder": -1,
            "calculated": self.calculated,
            "externalOptions": False,
            "archived": False,
            "hasUniqueValue": self.unique,
            "hidden": self.hidden,
            "hubspotDefined": self.own,
            "modificationMetadata": {
                "archivable": not self.own,
                "readOnlyDefinition": self.own,
                "readOnlyOptions": self.own,
                "readOnlyValue": self.read_only,
            },
            "formField": not self.read_only,
            "dataSensitivity": "non_sensitive",
        }


class Catalogue:
    """The properties and property groups of one object type."""

    def __init__(self, kind: str, without: frozenset[str] = frozenset()) -> None:
        """`kind`: contacts or companies; `without`: names that this portal does not have."""
        self.kind = kind
        group = "contactinformation" if kind == "contacts" else "companyinformation"
        lines = (_CONTACT if kind == "contacts" else _COMPANY).strip().splitlines()
        read = (_parse(line, group) for line in lines)
        self.properties = {one.name: one for one in read if one.name not in without}
        self.groups: dict[str, dict[str, Any]] = {group: _group(group, "Contact information", 0)}

    def problem(self, name: str, value: str) -> dict[str, Any] | None:
        """Why `value` may not be written, as HubSpot words it inside its message; None if it may."""
        known = self.properties.get(name)
        if known is None:
            return _problem(name, "PROPERTY_DOESNT_EXIST", f'Property "{name}" does not exist')
        if known.read_only:
            return _problem(name, "READ_ONLY_VALUE", f'"{name}" is a read only property; its value cannot be set.')
        return _misfit(known, value) if value else None

    def create(self, wanted: Mapping[str, Any]) -> Property:
        """A new property; raises Refusal: 400 if badly described, 409 if the name is taken."""
        missing = [key for key in ("groupName", "name", "label", "type", "fieldType") if not wanted.get(key)]
        if missing:
            raise invalid(f"Invalid input JSON: Some required fields were not set: {missing}")
        name, kind = str(wanted["name"]), str(wanted["type"])
        if name in self.properties:
            raise Refusal(409, {**_taken(name), "correlationId": "sandbox"})
        if not _NAME.fullmatch(name):
            raise invalid(
                f"Property name {name} is not valid: lower-case letters, digits and underscores, a letter first"
            )
        if str(wanted["fieldType"]) not in _FIELD_TYPES.get(kind, set()):
            raise invalid(f"fieldType {wanted['fieldType']} does not go with type {kind}")
        if wanted["groupName"] not in self.groups:
            raise invalid(f"Property group {wanted['groupName']} does not exist")
        options = tuple(wanted.get("options") or ())
        if kind == "enumeration" and not all({"label", "value"} <= set(one) for one in options):
            raise invalid("every option needs a label and a value")
        made = Property(
            name,
            str(wanted["label"]),
            kind,
            str(wanted["fieldType"]),
            str(wanted["groupName"]),
            own=False,
            options=options,
        )
        self.properties[name] = made
        return made

    def create_many(self, inputs: list[Mapping[str, Any]]) -> tuple[int, dict[str, Any]]:
        """Status and body: 201, or 207 where names were taken; the others are made all the same."""
        made, errors = [], []
        for wanted in inputs:
            name = str(wanted.get("name", ""))
            if name in self.properties:
                errors.append(_taken(name))
            else:
                made.append(self.create(wanted).as_json())
        body: dict[str, Any] = {"status": "COMPLETE", "results": made}
        if errors:
            body |= {"numErrors": len(errors), "errors": errors}
        return (207 if errors else 201), body

    def create_group(self, wanted: Mapping[str, Any]) -> dict[str, Any]:
        """A new property group; raises Refusal: 400, or 409 if the name is taken."""
        name = str(wanted.get("name") or "")
        if not name or not wanted.get("label"):
            raise invalid("Invalid input JSON: Some required fields were not set: [name, label]")
        if name in self.groups:
            raise Refusal(409, error(f"A property group named '{name}' already exists.", "OBJECT_ALREADY_EXISTS"))
        self.groups[name] = _group(name, str(wanted["label"]), int(wanted.get("displayOrder", -1)))
        return self.groups[name]


def valid_email(text: str) -> bool:
    """HubSpot's own idea of an address: the top-level domain is checked as well."""
    found = _EMAIL.fullmatch(text)
    local = text.partition("@")[0]
    dots = local.startswith(".") or local.endswith(".") or ".." in local
    return found is not None and not dots and found[2].lower() in _TLDS.split()


def _parse(line: str, group: str) -> Property:
    name, kind, field_type, flags, label = line.split("|")
    options = tuple(
        {"label": value, "value": value, "displayOrder": order, "hidden": False}
        for order, value in enumerate(_OPTIONS.get(name, ()))
    )
    return Property(
        name, label, kind, field_type, group, "r" in flags, "h" in flags, "c" in flags, "u" in flags, options=options
    )


def _misfit(known: Property, value: str) -> dict[str, Any] | None:
    if known.name == "email" and not valid_email(value):
        return _problem("email", "INVALID_EMAIL", f"Email address {value} is invalid")
    if known.type == "number" and not re.fullmatch(r"-?\d+(\.\d+)?", value):
        return _problem(known.name, "INVALID_LONG", f"{value} was not a valid number.")
    if known.type in {"datetime", "date"} and not re.fullmatch(r"\d{10,14}|\d{4}-\d\d-\d\d(T[\d:.]+Z)?", value):
        return _problem(known.name, "INVALID_DATE", f"{value} was not a valid date.")
    if known.type == "bool" and value not in {"true", "false"}:
        return _problem(known.name, "INVALID_OPTION", f"{value} was not one of the allowed options: [true, false]")
    allowed = [str(one["value"]) for one in known.options]
    if known.type == "enumeration" and allowed and not set(value.split(";")) <= set(allowed):
        text = f"{value} was not one of the allowed options: {json.dumps(allowed, ensure_ascii=False)}"
        return _problem(known.name, "INVALID_OPTION", text)
    return None


def _problem(name: str, code: str, message: str) -> dict[str, Any]:
    return {"isValid": False, "message": message, "error": code, "name": name, "localizedErrorMessage": message}


def _taken(name: str) -> dict[str, Any]:
    return {
        "status": "error",
        "category": "OBJECT_ALREADY_EXISTS",
        "subCategory": "Properties.PROPERTY_WITH_NAME_EXISTS",
        "message": f"A property named '{name}' already exists.",
        "context": {"name": [name]},
    }


def _group(name: str, label: str, order: int) -> dict[str, Any]:
    return {"name": name, "label": label, "displayOrder": order, "archived": False}
