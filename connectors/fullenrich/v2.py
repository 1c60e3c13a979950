"""The keys of FullEnrich's API v2, the current one.

Source: https://docs.fullenrich.com/api/v2/contact/enrich/bulk/post.md and …/get.md
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from syncd.contract import normal
from syncd.contract.model import Field, Identity
from syncd.contract.reading import record, text

from .shape import Item, Shape, best, emails, phones


def item(raw: Mapping[str, Any]) -> Item:
    """See `Shape`. The echo has other names than the request: `domain` is `company_domain`,
    `linkedin_url` is `professional_network_url`."""
    given = record(raw.get("input"))
    found = raw.get("contact_info")
    return Item(
        custom=record(raw.get("custom")),
        echo=Identity(
            first_name=text(given.get("first_name")),
            last_name=text(given.get("last_name")),
            company=text(given.get("company_name")),
            domain=normal.domain(text(given.get("company_domain"))),
            linkedin_url=normal.linkedin(text(given.get("professional_network_url") or given.get("linkedin_url"))),
        ),
        offered=None
        if not isinstance(found, dict)
        else {
            Field.EMAIL: emails(best(found.get("most_probable_work_email"), "email"), found.get("work_emails")),
            Field.PHONE: phones(best(found.get("most_probable_phone"), "number"), found.get("phones")),
        },
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
