"""What an update of one record goes through, in Salesforce's order, and everything that may refuse it.

Who was faster, the condition, the fields and their values, locks and access, the admin's triggers and rules,
duplicates; then it is written, and a lead's owner perhaps re-assigned. How updates come in is in `rows`,
`collections` and `bulk`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from syncd.sandbox.faults import Faults

from . import ids
from .org import RULE_OWNER, Org
from .replies import (
    FLOW,
    LOCKED,
    TRIGGER,
    Refusal,
    bad_json,
    deleted,
    duplicates,
    malformed_id,
    not_writable,
)
from .schema import TEXTS, Field, Kind
from .store import Row

FAULTS = {
    "salesforce_lock": "an update of a record is refused: UNABLE_TO_LOCK_ROW",
    "salesforce_approval": "an update of a record is refused: ENTITY_IS_LOCKED",
    "salesforce_no_access": "an update of a record is refused: INSUFFICIENT_ACCESS_OR_READONLY",
    "salesforce_cross_reference": "an update of a record is refused: INSUFFICIENT_ACCESS_ON_CROSS_REFERENCE_ENTITY",
    "salesforce_validation": "a validation rule refuses a record (parameter: the admin's text, or text@Field)",
    "salesforce_trigger": "a trigger fails on a record (parameter: the text instead of the usual one)",
    "salesforce_flow": "a flow fails on a record (parameter: the text instead of the usual one)",
    "salesforce_duplicate": "the duplicate rule refuses a record whatever it is set to",
    "salesforce_phone_rule": "a validation rule, while on: phones must begin with +",
    "salesforce_after_flow": "a flow touches the record a second after an update, so that its SystemModstamp moves",
    "salesforce_edit_between": "a colleague sets a field just before an update of it is carried out "
    "(parameter: Field=value, default Phone=+442079460999)",
    "salesforce_deleted_between": "a colleague deletes the record just before an update of it is carried out",
    "salesforce_converted_between": "a colleague converts the lead just before an update of it is carried out",
}
_EMAIL = re.compile(r"[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]+@(?:[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?\.)+[A-Za-z]{2,}")


@dataclass(frozen=True, slots=True)
class Manner:
    """How a call wants records saved. Source: "Assignment Rule Header", "Duplicate Rule Header", "Conditional
    Requests"."""

    user: str
    version: str
    auto_assign: bool = True
    allow_duplicates: bool = False
    unmodified_since: int | None = None  # Unix seconds

    @classmethod
    def of(cls, user: str, version: str, headers: Mapping[str, str]) -> Manner:
        """As the headers (lower-case names) say; raises Refusal for a date that is none."""
        rule = headers.get("sforce-duplicate-rule-header", "").replace(" ", "").lower()
        return cls(
            user,
            version,
            auto_assign=headers.get("sforce-auto-assign", "true").strip().lower() != "false",
            allow_duplicates="allowsave=true" in rule.split(";"),
            unmodified_since=moment(headers.get("if-unmodified-since"), "If-Unmodified-Since"),
        )


def moment(text: str | None, header: str) -> int | None:
    """An HTTP date, Unix seconds; raises Refusal."""
    if text is None:
        return None
    try:
        return int(datetime.strptime(text, "%a, %d %b %Y %H:%M:%S GMT").replace(tzinfo=UTC).timestamp())
    except ValueError:
        raise Refusal("INVALID_HEADER", f"{header}: invalid date: {text}") from None


class Saver:
    """Carries out updates of contacts, leads and accounts."""

    def __init__(
        self, org: Org, faults: Faults, *, compares: str, assignment_rule: bool, duplicate_rules: bool
    ) -> None:
        """`compares`: the stamp that If-Unmodified-Since is about, LastModifiedDate or SystemModstamp."""
        self.org, self.faults, self.compares = org, faults, compares
        self.assignment_rule, self.duplicate_rules = assignment_rule, duplicate_rules

    def find(self, kind: Kind, record_id: object) -> Row | None:
        """The record of an id, also a deleted one; raises Refusal if it is no id of that object."""
        parsed = ids.parse(record_id)
        if parsed is None or parsed[:3] != kind.prefix:
            raise malformed_id(kind.name, record_id)
        return self.org.store.tables[kind.name].rows.get(parsed)

    def update(self, kind: Kind, row: Row, given: Mapping[str, Any], manner: Manner) -> None:
        """Set fields, by whatever case of their names; raises Refusal, and then nothing is written."""
        self._interfere(row, given)
        if row.deleted:
            raise deleted()
        self.check_unmodified(row, manner)
        values = self._checked(kind, given)
        self._check_state(kind, row)
        try:
            self._check_values(kind, row, values)
            self._check_rules(row, values)
        except Refusal:
            self.org.refused.setdefault(row.id, set()).update(values)
            raise
        self._check_duplicates(row, values, manner)
        if row.kind == "Lead" and manner.auto_assign and self.assignment_rule:
            values = {"OwnerId": RULE_OWNER, **values}
        self.org.store.change(row, values, manner.user, self.org.now())
        if self.faults.take("salesforce_after_flow") is not None:
            self.org.touch_later(row.id, 1.0)

    def check_unmodified(self, row: Row, manner: Manner) -> None:
        """412 if it was changed after the second that If-Unmodified-Since names."""
        if manner.unmodified_since is not None and row.values[self.compares] > manner.unmodified_since:
            text = "The record has been modified since the date in If-Unmodified-Since"
            raise Refusal("PRECONDITION_FAILED", text, 412)

    # --- one after the other ---

    def _interfere(self, row: Row, given: Mapping[str, Any]) -> None:
        self.org.interfere(row, given)
        if row.deleted:
            return
        if (edit := self.faults.take("salesforce_edit_between")) is not None:
            name, _, value = (edit or "Phone=+442079460999").partition("=")
            self.org.human_edit(row.id, name, value)
        if self.faults.take("salesforce_deleted_between") is not None:
            self.org.delete(row.id)
        if row.kind == "Lead" and self.faults.take("salesforce_converted_between") is not None:
            self.org.convert(row.id)

    def _checked(self, kind: Kind, given: Mapping[str, Any]) -> dict[str, Any]:
        """Values by canonical names, in the form in which they are kept."""
        values: dict[str, Any] = {}
        closed = []
        for name, value in given.items():
            field = self.org.schema.field(kind, name)
            if field is None:
                raise Refusal("INVALID_FIELD", f"No such column '{name}' on sobject of type {kind.name}")
            if not self.org.schema.writable(kind, field):
                closed.append(field.name)
            values[field.name] = _kept(field, value)
        if closed:
            raise not_writable(closed)
        return values

    def _check_state(self, kind: Kind, row: Row) -> None:
        """Whether the record can be written at all."""
        if row.values.get("IsConverted"):
            raise Refusal("CANNOT_UPDATE_CONVERTED_LEAD", "cannot reference converted lead", 400, ())
        closed = row.values.get("IsPersonAccount") or not self.org.schema.editable(kind)
        if closed or self.faults.take("salesforce_no_access") is not None:
            raise Refusal("INSUFFICIENT_ACCESS_OR_READONLY", "insufficient access rights on object id", 403, ())
        if self.faults.take("salesforce_approval") is not None:
            raise Refusal("ENTITY_IS_LOCKED", "the entity is locked for editing", 400, ())
        parent = row.values.get("AccountId", row.id)
        if self.org.is_locked(row) or self.faults.take("salesforce_lock") is not None:
            raise Refusal("UNABLE_TO_LOCK_ROW", LOCKED.format(parent), 400, ())
        if self.faults.take("salesforce_cross_reference") is not None:
            text = f"insufficient access rights on cross-reference id: {parent}"
            raise Refusal("INSUFFICIENT_ACCESS_ON_CROSS_REFERENCE_ENTITY", text, 400, ())

    def _check_values(self, kind: Kind, row: Row, values: Mapping[str, Any]) -> None:
        fields = {one.name: one for one in kind.fields.values()}
        for name, value in values.items():
            field = fields[name]
            if value is None:
                if field.required:
                    raise Refusal("REQUIRED_FIELD_MISSING", f"Required fields are missing: [{name}]", 400, [name])
            elif field.type in TEXTS and len(value) > field.length:
                label = field.label or name
                text = f"{label}: data value too large: {value} (max length={field.length})"
                raise Refusal("STRING_TOO_LONG", text, 400, [name])
            elif field.type == "email" and not _EMAIL.fullmatch(value):
                text = f"{field.label or name}: invalid email address: {value}"
                raise Refusal("INVALID_EMAIL_ADDRESS", text, 400, [name])
            elif field.type == "reference":
                self._check_reference(field, value)

    def _check_reference(self, field: Field, value: str) -> None:
        found = self.org.store.find(ids.parse(value))
        if found is None or found.kind != field.target or found.deleted:
            raise Refusal("INVALID_CROSS_REFERENCE_KEY", "invalid cross reference id", 400, ())

    def _check_rules(self, row: Row, values: Mapping[str, Any]) -> None:
        """What this org's admin has made up."""
        take = self.faults.take
        if (text := take("salesforce_trigger")) is not None:
            usual = TRIGGER.replace("Contact", row.kind)
            raise Refusal("CANNOT_INSERT_UPDATE_ACTIVATE_ENTITY", text or usual, 400, ())
        if (text := take("salesforce_validation")) is not None:
            message, _, name = text.partition("@")
            code = "FIELD_CUSTOM_VALIDATION_EXCEPTION"
            raise Refusal(code, message or "Region is closed.", 400, [name] if name else ())
        phones = [name for name in ("Phone", "MobilePhone") if values.get(name)]
        if self.faults.setting("salesforce_phone_rule") is not None:
            for name in phones:
                if not values[name].startswith("+"):
                    text = "Phone numbers need a country code."
                    raise Refusal("FIELD_CUSTOM_VALIDATION_EXCEPTION", text, 400, [name])
        if (text := take("salesforce_flow")) is not None:
            raise Refusal("CANNOT_EXECUTE_FLOW_TRIGGER", text or FLOW, 400, ())

    def _check_duplicates(self, row: Row, values: Mapping[str, Any], manner: Manner) -> None:
        email = values.get("Email")
        found = self.org.store.holders(email, besides=row.id) if email and self.duplicate_rules else []
        if self.faults.take("salesforce_duplicate") is not None:
            found = found or [row.id]
        elif manner.allow_duplicates:
            return
        if found:
            matches = [("Lead" if one.startswith("00Q") else "Contact", one) for one in found]
            raise duplicates(row.kind, matches, manner.version)


def _kept(field: Field, value: Any) -> Any:
    """A value as it is stored: text trimmed, blank as null, e-mails in lower case; raises Refusal for a wrong type."""
    if value is None:
        return None
    wanted = bool if field.type == "boolean" else str
    if not isinstance(value, wanted):
        if wanted is bool and str(value).lower() in {"true", "false"}:
            return str(value).lower() == "true"
        shown = "boolean" if wanted is bool else "string"
        raise bad_json(f"Cannot deserialize instance of {shown} from {type(value).__name__} value {value}")
    if isinstance(value, bool):
        return value
    text = value.strip()
    return (text.lower() if field.type == "email" else text) or None
