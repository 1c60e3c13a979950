"""Questions for the tests of the emulated Zeliq."""

from __future__ import annotations

from typing import Any

import httpx

from syncd.sandbox.world import Find, Person
from syncd.sandbox.zeliq import Zeliq
from tests.sandbox.bench import Bench, run_zeliq

MAIL = (Find("anna.abel@acme.example", "valid"),)
CALL = (Find("+33639981234", "valid", "FR", "mobile"),)
EMAIL, PHONE = "/api/contact/enrich/email", "/api/contact/enrich/phone"


async def ask(bench: Bench[Zeliq], person: Person, path: str = EMAIL, **more: Any) -> httpx.Response:
    body = {"linkedin_url": person.linkedin_url, "callbackUrl": f"{bench.receiver.url}/z/t0ken-t0ken-t0ken", **more}
    return await bench.http.post(path, json=body)


def callback(faults: tuple[str, ...] = (), path: str = EMAIL, **finds: tuple[Find, ...]) -> tuple[Any, Zeliq]:
    """Body of the callback about a person with such finds while such faults are on, and the vendor."""
    result: list[Any] = []

    async def scenario(bench: Bench[Zeliq]) -> None:
        for fault in faults:
            bench.faults.add(fault)
        assert (await ask(bench, bench.person(**finds), path)).status_code == 202
        await bench.settled()
        result.extend([bench.receiver.posts[0].json(), bench.vendor])

    run_zeliq(scenario)
    return result[0], result[1]
