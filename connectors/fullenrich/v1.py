"""The keys of FullEnrich's API v1, superseded by v2 but still in use.

Source: https://docs.fullenrich.com/api/v1/contact/enrich/bulk/post.md and …/get.md
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
    """See `Shape`. There is no `input`: the contact itself repeats the name and the domain."""
    found = raw.get("contact")
    told = record(found)
    best_email = {"email": told.get("most_probable_email"), "status": told.get("most_probable_email_status")}
    return Item(
        custom=record(raw.get("custom")),
        echo=Identity(
            first_name=text(told.get("firstname")),
            last_name=text(told.get("lastname")),
            domain=normal.domain(text(told.get("domain"))),
        ),
        person=profile.v1(record(told.get("profile")) or record(raw.get("profile"))),
        offered=None
        if not isinstance(found, dict)
        else {
            Field.EMAIL: emails(best_email, told.get("emails")),
            Field.PHONE: phones(best(told.get("most_probable_phone"), "number"), told.get("phones")),
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
