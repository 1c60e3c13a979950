"""How a world's records stand in a fresh portal: ids, stamps, histories, associated companies."""

from __future__ import annotations

import random

from syncd.sandbox.people import EMAIL, Quirk, Record
from syncd.sandbox.world import World

from .items import IMPORT, Author, Version, colleague
from .portal import Portal

_DAY = 86_400_000  # ms
_WIZARD = Author("INTEGRATION", "1007", label="List import tool")


def fill(portal: Portal, world: World) -> None:
    """Put all employers and records in, as of some time before the world's clock started."""
    origin = int(world.clock.origin * 1000)
    rng = random.Random(world.seed)  # noqa: S311 - a reproducible world
    for employer in world.employers:
        values = {"name": employer.name, "domain": employer.domain, "country": employer.country}
        portal.companies.add(company_id(employer.number), values, IMPORT, origin - 900 * _DAY)
    imported = origin - 200 * _DAY
    for record in world.records:
        # Many rows share one stamp, as after every import: nobody may page by time alone.
        stamp = imported if rng.random() < 0.3 else origin - rng.randrange(2 * _DAY, 700 * _DAY)
        _add(portal, world, record, stamp)
    portal.index.load(portal.contacts.items.values())
    portal.company_index.load(portal.companies.items.values())
    portal.contacts.log.clear()
    for record in world.records:
        portal.schedule(record)


def contact_id(number: int, total: int) -> int:
    """Short ids for the older half, long ones for the younger: they do not sort as text."""
    return 901 + number * 50 if number < total // 2 else 151_000_000_000 + number * 50


def company_id(number: int) -> int:
    """The id of an employer's company record."""
    return 29_022_000_000 + number


def _add(portal: Portal, world: World, record: Record, stamp: int) -> None:
    number = contact_id(record.number, len(world.records))
    portal.ids[record.number], portal.records[number] = number, record
    companies = [] if record.employer is None else [company_id(record.employer.number)]
    if companies and record.number % 10 == 0:
        companies.append(company_id((record.number // 10) % len(world.employers)))
    item = portal.contacts.add(number, _values(record, companies), IMPORT, stamp, dict.fromkeys(companies))
    if record.quirk is Quirk.CLEARED:
        # Some integration had written it, somebody threw it out.
        portal.contacts.write(item, {record.quirk_field: record.quirk_value}, _WIZARD, stamp + _DAY // 2)
        portal.contacts.write(item, {record.quirk_field: ""}, colleague(), stamp + _DAY)
    elif record.number % 7 == 0 and record.email:
        item.history[EMAIL].insert(0, Version(f"old.{record.email}", stamp - _DAY, IMPORT))


def _values(record: Record, companies: list[int]) -> dict[str, str]:
    values = {
        "firstname": record.first_name,
        "lastname": record.last_name,
        "company": record.company,
        "website": record.website,
        "hs_linkedin_url": record.linkedin_url,
        "country": record.country,
        "jobtitle": record.job_title,
        "email": record.email,
        "phone": record.phone,
        "mobilephone": record.mobile,
        "hs_additional_emails": ";".join(record.other_emails),
        "associatedcompanyid": str(companies[0]) if companies else None,
        "hs_email_optout": "true" if record.quirk is Quirk.OPTED_OUT else None,
        "lifecyclestage": "lead",
    }
    return {name: value for name, value in values.items() if value}
