"""What FullEnrich tells of the person it has found, in both API versions: the true name, handle and employers.

Keys are those of the vendor's OpenAPI document (v2) and of answers seen in public code (v1). Headcounts, places and
the like are made up: nothing depends on them.
"""

from __future__ import annotations

import zlib
from typing import Any

from syncd.sandbox.world import Person

Body = dict[str, Any]

TITLE = "Head of Sales"
_COUNTRIES = {"FR": "France", "GB": "United Kingdom", "US": "United States"}


def profile_v2(person: Person, *, odd_dates: bool = False) -> Body:
    """The `profile` of a contact. `odd_dates`: with a malformed date and a sparse current employment, as seen."""
    posts = _posts_v2(person)
    if odd_dates:
        posts[0]["start_at"] = "2024-1-0T00:00:00.000Z"
    url = person.linkedin_url
    network = {"id": _number(person), "url": url, "handle": handle(url), "connection_count": 500}
    return {
        "id": f"profile-{person.key}",
        "full_name": f"{person.first_name} {person.last_name}",
        "first_name": person.first_name,
        "last_name": person.last_name,
        "headline": f"{TITLE} at {person.company}",
        "description": None,
        "location": {**_country(person), "city": None, "region": None},
        "social_profiles": {"professional_network": network},
        "educations": [],
        "languages": [{"language": "English", "proficiency": "PROFESSIONAL_WORKING"}],
        "skills": [],
        "employment": {"current": {"title": TITLE} if odd_dates else posts[0], "all": posts},
    }


def profile_v1(person: Person) -> Body:
    """The `contact.profile` of a contact."""
    company = {"name": person.company, "domain": person.domain, "website": f"https://{person.domain}"}
    position = {"title": TITLE, "description": "", "start_at": {"month": 1, "year": 2024}, "end_at": None}
    return {
        "linkedin_id": _number(person),
        "linkedin_url": person.linkedin_url or "",
        "linkedin_handle": handle(person.linkedin_url),
        "firstname": person.first_name,
        "lastname": person.last_name,
        "sales_navigator_id": "",
        "premium_account": False,
        "summary": "",
        "headline": f"{TITLE} at {person.company}",
        "location": _country(person)["country"],
        "position": {**position, "company": {**company, "headquarters": _country(person)}},
    }


def handle(url: str | None) -> str:
    """The last part of a profile's address."""
    return (url or "").rpartition("/")[2]


def _posts_v2(person: Person) -> list[Body]:
    now = _post(person, person.company, person.domain)
    now |= {"is_current": True, "start_at": "2024-01-01T00:00:00.000Z", "end_at": None}
    if person.former is None:
        return [now]
    before = _post(person, *person.former)
    before |= {"is_current": False, "start_at": "2019-05-01T00:00:00.000Z", "end_at": "2023-12-01T00:00:00.000Z"}
    return [now, before]


def _post(person: Person, company: str, domain: str) -> Body:
    employer = {
        "name": company,
        "domain": domain,
        "website": f"https://{domain}",
        "headcount": 120,
        "headcount_range": "51-200",
        "industry": {"main_industry": "Services"},
        "locations": {"headquarters": _country(person), "offices": []},
        "logo_url": None,
    }
    return {"title": TITLE, "seniority": "Head", "job_functions": ["Sales"], "description": None, "company": employer}


def _country(person: Person) -> dict[str, str]:
    return {"country": _COUNTRIES.get(person.country, person.country), "country_code": person.country}


def _number(person: Person) -> int:
    """LinkedIn's own number of the person: made up, always the same."""
    return zlib.crc32(person.key.encode())
