"""The keys of FullEnrich's API v2, the current one.

Source: https://docs.fullenrich.com/api/v2/contact/enrich/bulk/post.md and …/get.md
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from syncd.contract import normal
from syncd.contract.model import Field, Identity
from syncd.contract.reading import record, text

from . import profile
from .shape import Item, Shape, best, emails, phones


def item(raw: Mapping[str, Any]) -> Item:
    """See `Shape`. `profile` comes only where a profile's address was given or found."""
    found = raw.get("contact_info")
    return Item(
        custom=record(raw.get("custom")),
        echo=_echo(record(raw.get("input"))),
        person=profile.v2(record(raw.get("profile"))),
        offered=None
        if not isinstance(found, dict)
        else {
            Field.EMAIL: emails(best(found.get("most_probable_work_email"), "email"), found.get("work_emails")),
            Field.PHONE: phones(best(found.get("most_probable_phone"), "number"), found.get("phones")),
        },
    )


def _echo(given: Mapping[str, Any]) -> Identity:
    """`input` has other names than the request: `domain` is `company_domain`, `linkedin_url` is
    `professional_network_url`."""
    first, last = text(given.get("first_name")), text(given.get("last_name"))
    return Identity(
        first_name=first,
        last_name=last,
        full_name=None if first and last else text(given.get("full_name")),
        company=text(given.get("company_name")),
        domain=normal.domain(text(given.get("company_domain"))),
        linkedin_url=normal.linkedin(text(given.get("professional_network_url") or given.get("linkedin_url"))),
    )


SHAPE = Shape(
    list_key="data",
    first_name="first_name",
    last_name="last_name",
    enrich_fields={Field.EMAIL: "contact.work_emails", Field.PHONE: "contact.phones"},
    params={"silentFail": "true"},
    contact_events=True,
    item=item,
)
