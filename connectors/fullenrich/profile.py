"""Whom FullEnrich found: the `profile` of a result, in either version, as an Identity.

Source: https://docs.fullenrich.com/api/v2/contact/enrich/bulk/get.md; v1's keys as its first-party n8n node reads them
(https://github.com/FullEnrich/n8n-nodes-fullenrich).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from syncd.contract import normal
from syncd.contract.model import Identity
from syncd.contract.reading import record, records, text


def v2(profile: Mapping[str, Any]) -> Identity:
    """`{first_name, last_name, full_name, social_profiles, employment, location}`; any of it may be missing."""
    if not profile:
        return Identity()
    network = record(record(profile.get("social_profiles")).get("professional_network"))
    company = _current_company(record(profile.get("employment")))
    location = record(profile.get("location"))
    first, last = text(profile.get("first_name")), text(profile.get("last_name"))
    found = Identity(
        first_name=first,
        last_name=last,
        full_name=None if first and last else text(profile.get("full_name")),
        company=text(company.get("name")),
        domain=normal.domain(text(company.get("domain"))),
        linkedin_url=_address(network.get("url"), network.get("handle")),
        country=text(location.get("country")) or text(location.get("country_code")),
    )
    return _titled(found, record(record(profile.get("employment")).get("current")))


def v1(profile: Mapping[str, Any]) -> Identity:
    """`{firstname, lastname, linkedin_url, position, location: "City, Region, Country"}`; any of it may be missing."""
    position = record(profile.get("position"))
    company = record(position.get("company")) if not position.get("end_at") else {}
    location = text(profile.get("location"))
    found = Identity(
        first_name=text(profile.get("firstname")),
        last_name=text(profile.get("lastname")),
        company=text(company.get("name")),
        domain=normal.domain(text(company.get("domain"))),
        linkedin_url=_address(profile.get("linkedin_url"), profile.get("linkedin_handle")),
        country=text(location.rpartition(",")[2]) if location else None,
    )
    return _titled(found, position if not position.get("end_at") else {})


def _titled(found: Identity, job: Mapping[str, Any]) -> Identity:
    """With the title of today's job; a title alone says nothing of who it is."""
    title = text(job.get("title"))
    return replace(found, title=title) if title and found != Identity() else found


def _current_company(employment: Mapping[str, Any]) -> Mapping[str, Any]:
    """The company of today's job: `current` is often sparse, and then an item that `is_current` may know more.

    Any other item of `all` may be a former employer.
    """
    jobs = [record(employment.get("current"))]
    jobs += [job for job in records(employment.get("all")) if job.get("is_current") is True]
    companies = (record(job.get("company")) for job in jobs)
    return next((company for company in companies if text(company.get("name")) or text(company.get("domain"))), {})


def _address(url: object, handle: object) -> str | None:
    name = text(handle)
    return normal.linkedin(text(url)) or (normal.linkedin(f"https://www.linkedin.com/in/{name}") if name else None)
