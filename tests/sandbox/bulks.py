"""Bulks for the tests of the emulated FullEnrich."""

from __future__ import annotations

from typing import Any

import httpx

from syncd.sandbox.fullenrich import FullEnrich
from syncd.sandbox.world import Find, Person
from tests.sandbox.bench import Bench, run_fullenrich

MAIL = (Find("anna.abel@acme.example", "valid"),)
MOBILE = (Find("+33639981234", "valid", "FR", "mobile"),)
LANDLINE = (Find("+33199001234", "valid", "FR", "landline"),)
WORK, PHONES, PERSONAL = "contact.work_emails", "contact.phones", "contact.personal_emails"
V1, V2 = "/api/v1", "/api/v2"
BULK = "/contact/enrich/bulk"


def contact(person: Person, *fields: str, **more: Any) -> dict[str, Any]:
    return {
        "linkedin_url": person.linkedin_url,
        "enrich_fields": list(fields or (WORK, PHONES)),
        "custom": {"id": person.key},
        **more,
    }


async def start(bench: Bench[FullEnrich], *contacts: dict[str, Any], query: str = "", **more: Any) -> httpx.Response:
    body = {"name": "bulk", "webhook_url": f"{bench.receiver.url}/end", "data": contacts, **more}
    return await bench.http.post(f"{V2}{BULK}{query}", json=body)


async def finish(bench: Bench[FullEnrich], *contacts: dict[str, Any], query: str = "", **more: Any) -> dict[str, Any]:
    """The result, by GET, of a bulk that was run to its end."""
    answer = await start(bench, *contacts, query=query, **more)
    assert answer.status_code == 200, answer.text
    await bench.settled()
    result = await bench.http.get(f"{V2}{BULK}/{answer.json()['enrichment_id']}")
    return dict(result.json())


def result_of(*faults: str, fields: tuple[str, ...] = (WORK, PHONES), **finds: tuple[Find, ...]) -> dict[str, Any]:
    """The result of a bulk of one while such faults are on."""
    result: dict[str, Any] = {}

    async def scenario(bench: Bench[FullEnrich]) -> None:
        for fault in faults:
            bench.faults.add(fault)
        result.update(await finish(bench, contact(bench.person(**finds), *fields)))

    run_fullenrich(scenario)
    return result
