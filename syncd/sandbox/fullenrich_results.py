"""What FullEnrich's result says, for GET and for webhooks alike, in both API versions.

v2 uses null or leaves keys out for "none", v1 "" and []; the job's status, costs and finds are
decided in `fullenrich_jobs`.
"""

from __future__ import annotations

import json
import random
from collections.abc import Sequence
from typing import Any

from syncd.sandbox.faults import Faults
from syncd.sandbox.fullenrich_jobs import Item, Job
from syncd.sandbox.fullenrich_profile import profile_v1, profile_v2
from syncd.sandbox.fullenrich_request import V1
from syncd.sandbox.world import Find, Person

RESULT_FAULTS: dict[str, str] = {
    "fullenrich_nothing_shape": "v2 nothing found always has this shape (while on; parameter null, empty or absent)",
    "fullenrich_phone_form": "how phones are written (while on; parameter spaced, dashed or e164)",
    "fullenrich_phone_details": "phones have line_type, line_status, ownership_match … (while on)",
    "fullenrich_phone_no_region": "phones have no region (while on)",
    "fullenrich_odd_status": "an e-mail has an unusual status (parameter: the word, INVALID_DOMAIN)",
    "fullenrich_unasked": "the result has kinds of values nobody asked for (while on)",
    "fullenrich_bad_dates": "dates in the profile are malformed, its current employment is sparse (while on)",
    "fullenrich_shuffled": "the contacts of a bulk come in another order",
    "fullenrich_short": "a contact is missing from a bulk's result",
    "fullenrich_short_final": "a final webhook lacks contacts that GET tells (parameter: how many it has, 1)",
    "fullenrich_extra": "a result has a contact nobody asked about",
    "fullenrich_no_custom": "a result does not echo `custom`",
    "fullenrich_no_cost": "a result has no `cost` (while on)",
    "fullenrich_odd_cost": "a result's cost makes no sense (parameter: JSON of credits, -1)",
}

_WORDS = {
    "valid": "DELIVERABLE",
    "probable": "HIGH_PROBABILITY",
    "catch_all": "CATCH_ALL",
    "invalid": "INVALID",
    "unknown": "UNKNOWN",
}
_RANKS = ("DELIVERABLE", "HIGH_PROBABILITY", "CATCH_ALL")
_GROUPS = {"1": ("-", (3, 3, 4)), "33": (" ", (1, 2, 2, 2, 2)), "44": (" ", (4, 6))}

Body = dict[str, Any]


class Results:
    """Words a job's state as the vendor does."""

    def __init__(self, faults: Faults, rng: random.Random) -> None:
        self._faults, self._rng = faults, rng

    def write(self, job: Job, status: str, only: Item | None = None, *, final: bool = False) -> Body:
        """The whole result, or the envelope with one contact that tells that it is through.

        `final`: for the webhook at the end of the job.
        """
        items = [only] if only else job.items
        entries = [(self._v1 if job.dialect is V1 else self._v2)(item) for item in items]
        if len(entries) > 1:
            self._disarrange(entries, final=final)
        if self._taken("fullenrich_extra"):
            entries.append(
                {"custom": {"somebody": "else"}, "contact": {}, "contact_info": {"most_probable_phone": None}}
            )
        if self._taken("fullenrich_no_custom"):
            for entry in entries:
                entry.pop("custom", None)
        body = {"id": job.id, "name": job.order.name, "status": status, "cost": {"credits": int(job.credits)}}
        if (odd := self._faults.take("fullenrich_odd_cost")) is not None:
            body["cost"] = {"credits": json.loads(odd or "-1")}
        if self._on("fullenrich_no_cost"):
            del body["cost"]
        return {**body, job.dialect.array: entries}

    def _disarrange(self, entries: list[Body], *, final: bool) -> None:
        if final and (kept := self._faults.take("fullenrich_short_final")) is not None:
            del entries[int(kept or 1) :]
        if self._taken("fullenrich_shuffled"):
            entries.append(entries.pop(0))
        if self._taken("fullenrich_short"):
            del entries[self._rng.randrange(len(entries))]

    # ---- v2

    def _v2(self, item: Item) -> Body:
        entry: Body = {"input": _input(item)}
        if item.ask.custom is not None:
            entry["custom"] = item.ask.custom
        if item.ask.skipped:
            return entry
        entry["contact_info"] = self._contact_info(item)
        if (person := _profiled(item)) is not None:
            entry["profile"] = profile_v2(person, odd_dates=self._on("fullenrich_bad_dates"))
        return entry

    def _contact_info(self, item: Item) -> Body:
        shape = (self._faults.setting("fullenrich_nothing_shape") or "absent") if item.done else "null"
        if not item.finds and shape == "absent":
            return {"most_probable_phone": None}
        no_email, no_phone = None, None
        if shape == "empty":
            no_email, no_phone = {"email": "", "status": ""}, {"number": "", "region": ""}
        work, personal = self._emails(item, "work_email"), self._emails(item, "personal_email")
        if self._on("fullenrich_unasked"):
            personal = personal or [{"email": "unasked@private.test", "status": "DELIVERABLE"}]
        phones = self._phones(item)
        return {
            "most_probable_work_email": _best(work) or no_email,
            "most_probable_personal_email": _best(personal) or no_email,
            "most_probable_phone": phones[0] if phones else no_phone,
            "work_emails": work,
            "personal_emails": personal,
            "phones": phones,
        }

    def _emails(self, item: Item, kind: str) -> list[dict[str, str]]:
        emails = [{"email": find.value, "status": _WORDS[find.status]} for find in item.finds.get(kind, ())]
        if emails and (word := self._faults.take("fullenrich_odd_status")) is not None:
            emails[0]["status"] = word or "INVALID_DOMAIN"
        return emails

    def _phones(self, item: Item) -> list[Body]:
        form = self._faults.setting("fullenrich_phone_form") or "spaced"
        details, regionless = self._on("fullenrich_phone_details"), self._on("fullenrich_phone_no_region")
        phones: list[Body] = []
        for find in item.finds.get("phone", ()):
            phone: Body = {"number": written(find.value, form), "region": None if regionless else find.region}
            phones.append(phone | _details(find) if details else phone)
        return phones

    # ---- v1

    def _v1(self, item: Item) -> Body:
        entry: Body = {} if item.ask.custom is None else {"custom": item.ask.custom}
        if item.ask.skipped:
            return entry
        work, personal, phones = (
            self._emails(item, "work_email"),
            self._emails(item, "personal_email"),
            self._phones(item),
        )
        best, private = _best(work) or {}, _best(personal) or {}
        told, person = _input(item), _profiled(item)
        url = (person and person.linkedin_url) or item.ask.linkedin_url
        entry["contact"] = {
            "firstname": told["first_name"] or (person.first_name if person else ""),
            "lastname": told["last_name"] or (person.last_name if person else ""),
            "domain": told["company_domain"] or (person.domain if person else ""),
            "most_probable_email": best.get("email", ""),
            "most_probable_email_status": best.get("status", ""),
            "most_probable_personal_email": private.get("email", ""),
            "most_probable_personal_email_status": private.get("status", ""),
            "most_probable_phone": phones[0]["number"] if phones else "",
            "emails": work,
            "personal_emails": personal,
            "phones": phones,
            "social_medias": [{"url": url, "type": "LINKEDIN"}] if url else [],
        }
        if person is not None:
            entry["contact"]["profile"] = profile_v1(person)
        return entry

    def _on(self, name: str) -> bool:
        return self._faults.setting(name) is not None

    def _taken(self, name: str) -> bool:
        return self._faults.take(name) is not None


def _profiled(item: Item) -> Person | None:
    """Who was found, if a profile's address was given or found."""
    return item.person if item.done and item.person and (item.ask.linkedin_url or item.person.linkedin_url) else None


def written(number: str, form: str) -> str:
    """An E.164 number as the vendor writes it: `+33 6 39 98 12 34`, `+1 212-555-0123`; `form`: spaced, dashed, e164."""
    code = next((code for code in _GROUPS if number.startswith(f"+{code}")), None)
    if code is None or form == "e164":
        return number
    separator, lengths = _GROUPS[code]
    rest, groups = number[1 + len(code) :], []
    for length in lengths:
        groups.append(rest[:length])
        rest = rest[length:]
    separator = "-" if form == "dashed" else separator
    return f"+{code} {separator.join(group for group in [*groups, rest] if group)}"


def _best(emails: Sequence[dict[str, str]]) -> dict[str, str] | None:
    """The e-mail least likely to bounce; one that is invalid never is."""
    usable = [email for email in emails if email["status"] in _RANKS]
    return min(usable, key=lambda email: _RANKS.index(email["status"]), default=None)


def _input(item: Item) -> dict[str, str]:
    """The echo: as asked for, in v2's words."""
    ask = item.ask
    first, last, domain, company, url = ask.identity
    if item.stranger and (other := item.person):
        first, last, domain, company = other.first_name, other.last_name, other.domain, other.company
        url = other.linkedin_url or ""
    return {
        "first_name": first,
        "last_name": last,
        "full_name": f"{first} {last}".strip(),
        "company_domain": domain,
        "company_name": company,
        "professional_network_url": url,
    }


def _details(find: Find) -> Body:
    return {
        "line_type": (find.line_type or "unknown").upper(),
        "line_status": "ACTIVE",
        "ownership_match": "CONFIRMED",
        "ownership_match_confidence": 90,
        "connect_rate": "HIGH",
    }
