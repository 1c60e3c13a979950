"""How a world's records stand in a fresh org: accounts, contacts, leads, stamps, histories."""

from __future__ import annotations

import bisect
import random

from syncd.sandbox.people import EMAIL, Employer, Quirk, Record, Trait
from syncd.sandbox.population_salesforce import LEAD, website
from syncd.sandbox.world import World

from .org import API_USER, COLLEAGUE, ORG_ID, OWNER, RULE_OWNER, Org
from .store import Row

_DAY = 86_400  # seconds
_PEOPLE = {
    API_USER: ("sync@acme.example", "Integration User"),
    COLLEAGUE: ("robin@acme.example", "Robin Colleague"),
    OWNER: ("sam@acme.example", "Sam Seller"),
    RULE_OWNER: ("queue@acme.example", "Lead Desk"),
}


def fill(org: Org, world: World, *, sandbox: bool) -> None:
    """Put all employers and records in, as of some time before the world's clock started."""
    origin = int(world.clock.origin)
    _own(org, "Organization", ORG_ID, {"Name": "Acme", "IsSandbox": sandbox, "OrganizationType": "Enterprise Edition"})
    for user, (address, name) in _PEOPLE.items():
        _own(org, "User", user, {"Username": address, "Email": address, "Name": name})
    rng = random.Random(f"{world.seed}/salesforce seed")  # noqa: S311 - a reproducible world
    accounts: dict[int, str] = {}
    imported = origin - 200 * _DAY
    for record in world.salesforce.records:
        # Many rows share one stamp, as after every import: nobody may page by time alone.
        at = imported if rng.random() < 0.3 else origin - rng.randrange(2 * _DAY, 700 * _DAY)
        account = None
        if record.employer is not None:
            if record.employer.number not in accounts:
                accounts[record.employer.number] = _account(org, record.employer, origin - 900 * _DAY)
            account = accounts[record.employer.number]
        row = org.store.add("Lead" if record.kind == LEAD else "Contact", _values(org, record, account), OWNER, at)
        org.ids[record.number], org.records[row.id] = row.id, record
        _past(org, record, row, at)
    org.store.log.clear()
    for record in world.salesforce.records:
        org.schedule(record)


def _own(org: Org, kind: str, row_id: str, values: dict[str, object]) -> None:
    table = org.store.tables[kind]
    table.rows[row_id] = Row(kind, row_id, {**values, "Id": row_id})
    bisect.insort(table.ids, row_id)


def _account(org: Org, employer: Employer, at: int) -> str:
    values = {"Name": employer.name, "Website": website(employer), "BillingCountry": employer.country, "OwnerId": OWNER}
    return org.store.add("Account", values, OWNER, at).id


def _values(org: Org, record: Record, account: str | None) -> dict[str, object]:
    values: dict[str, object] = {
        "FirstName": (record.first_name or "").strip(),
        "LastName": record.last_name,
        "Title": record.job_title,
        "Email": (record.email or "").lower(),
        "Phone": record.phone,
        "MobilePhone": record.mobile,
        "OwnerId": OWNER,
        org.schema.features.linkedin or "Description": record.linkedin_url,
    }
    if record.kind == LEAD:
        values |= {"Company": record.company, "Website": record.website, "Country": record.country}
        values["Status"] = "Open - Not Contacted"
    else:
        values |= {"AccountId": account, "MailingCountry": record.country}
    if org.schema.features.opt_outs:
        values["HasOptedOutOfEmail"] = record.quirk is Quirk.OPTED_OUT
        values["DoNotCall"] = record.trait is Trait.DO_NOT_CALL
    if record.trait is Trait.PERSON_ACCOUNT and org.schema.features.person_accounts:
        values["IsPersonAccount"] = True
        person = {"Name": f"{record.first_name} {record.last_name}", "IsPersonAccount": True, "OwnerId": OWNER}
        values["AccountId"] = org.store.add("Account", person, OWNER, org.now() - _DAY).id
    return values


def _past(org: Org, record: Record, row: Row, at: int) -> None:
    """What had happened to the record by the time the world begins."""
    name = "Email" if record.quirk_field == EMAIL else "Phone"
    if record.quirk is Quirk.CLEARED:
        if name in org.schema.features.tracked:
            # Some integration had written it, somebody threw it out.
            org.tell(row, name, (None, record.quirk_value), by=OWNER, at=at + _DAY // 2)
            org.tell(row, name, (record.quirk_value, None), by=COLLEAGUE, at=at + _DAY)
        org.store.change(row, {}, COLLEAGUE, at + _DAY)
    elif record.trait is Trait.BOUNCED:
        bounced = {"EmailBouncedDate": at + _DAY, "EmailBouncedReason": "550 5.1.1 no such user"}
        org.store.change(row, {**bounced, "IsEmailBounced": record.kind != LEAD}, OWNER, at + _DAY, system=True)
    elif record.trait is Trait.CONVERTED and record.twin is not None:
        contact = org.store.tables["Contact"].rows[org.ids[record.twin]]
        links = {"ConvertedContactId": contact.id, "ConvertedAccountId": contact.values.get("AccountId")}
        org.store.change(row, {"IsConverted": True, "ConvertedDate": at // _DAY * _DAY, **links}, OWNER, at)
