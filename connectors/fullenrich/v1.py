"""The keys of FullEnrich's API v1, superseded by v2 but still in use.

Source: https://docs.fullenrich.com/api/v1/contact/enrich/bulk/post.md and …/get.md
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from syncd.contract import normal
from syncd.contract.model import Field, Identity
from syncd.contract.reading import record, text

from .shape import Item, Shape, best, emails, phones


def item(raw: Mapping[str, Any]) -> Item:
    """See `Shape`. There is no `input`: the contact itself repeats the name and the domain."""
    found = raw.get("contact")
    person = record(found)
    best_email = {"email": person.get("most_probable_email"), "status": person.get("most_probable_email_status")}
    return Item(
        custom=record(raw.get("custom")),
        echo=Identity(
            first_name=text(person.get("firstname")),
            last_name=text(person.get("lastname")),
            domain=normal.domain(text(person.get("domain"))),
            linkedin_url=normal.linkedin(text(record(person.get("profile")).get("linkedin_url"))),
        ),
        offered=None
        if not isinstance(found, dict)
        else {
            Field.EMAIL: emails(best_email, person.get("emails")),
            Field.PHONE: phones(best(person.get("most_probable_phone"), "number"), person.get("phones")),
        },
    )


SHAPE = Shape(
    list_key="datas",
    first_name="firstname",
    last_name="lastname",
    enrich_fields={Field.EMAIL: "contact.emails", Field.PHONE: "contact.phones"},
    params={"checkLinkedinUrl": "false", "checkDomain": "false"},
    contact_events=False,
    item=item,
)
