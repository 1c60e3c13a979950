"""The yardstick: a script that makes the same calls as the daemon, and keeps nothing.

It pulls, asks, takes the callbacks, reads each contact again before and after it is written, in batches as full as can
be; a crash loses everything, and what goes wrong raises. It is written as such scripts are, with asyncio's streams and
Starlette's requests.
`python -m benchmarks.bare '{"url": …}'` prints what it cost.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
import resource
import sys
from typing import Any

import uvicorn
from starlette.requests import Request
from starlette.responses import Response

from .portal import FIELDS
from .providers import FULLENRICH_KEY, ZELIQ_KEY

CONTACTS = "/crm/v3/objects/contacts"
PAGE, CHUNK, BULK, BATCH = 200, 50, 100, 100  # of a search, a read with history, a call to FullEnrich, an update
LINGER = 0.5  # seconds that a part-filled batch waits
PROPERTIES = [
    *("email", "phone", "mobilephone", "firstname", "lastname", "company", "website", "country", "hs_linkedin_url"),
    *("associatedcompanyid", "hs_email_optout", "hs_legal_basis", "lastmodifieddate"),
]
HUBSPOT = {"content-type": "application/json", "authorization": "Bearer bench"}
FULLENRICH = {"content-type": "application/json", "authorization": f"Bearer {FULLENRICH_KEY}"}
ZELIQ = {"content-type": "application/json", "x-api-key": ZELIQ_KEY}

Json = dict[str, Any]


def cpu() -> float:
    """Seconds of CPU that this process has used."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


class Calls:
    """Keep-alive connections, each for one call at a time."""

    def __init__(self, url: str, connections: int = 8) -> None:
        self._host = url.partition("://")[2]
        self._places = asyncio.Semaphore(connections)
        self._idle: list[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = []

    async def post(self, path: str, body: Json, headers: dict[str, str]) -> tuple[int, Json]:
        """Status and answer."""
        content = json.dumps(body).encode()
        named = {"host": self._host, "content-length": str(len(content)), **headers}
        head = f"POST {path} HTTP/1.1\r\n" + "".join(f"{name}: {value}\r\n" for name, value in named.items()) + "\r\n"
        async with self._places:
            reader, writer = self._idle.pop() if self._idle else await self._connect()
            writer.write(head.encode() + content)
            status, told = await self._head(reader)
            answer = json.loads(await reader.readexactly(int(told["content-length"])))
            self._idle.append((reader, writer))
        return status, answer

    async def _connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        name, _, port = self._host.partition(":")
        return await asyncio.open_connection(name, int(port))

    async def _head(self, reader: asyncio.StreamReader) -> tuple[int, dict[str, str]]:
        first, *lines = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
        pairs = (line.partition(":") for line in lines if line)
        return int(first.split()[1]), {name.lower(): value.strip() for name, _, value in pairs}

    def close(self) -> None:
        for _, writer in self._idle:
            writer.close()


class Script:
    """`provider`: fullenrich or zeliq. `each`: a callback for each contact of a bulk, beside the one for all."""

    def __init__(self, url: str, contacts: int, provider: str, *, each: bool) -> None:
        self._calls, self._size, self._provider, self._each = Calls(url), contacts, provider, each
        self._companies: dict[str, Json] = {}
        self._answered: asyncio.Queue[tuple[str, Json]] = asyncio.Queue()
        self._seen: set[str] = set()
        self._asking: list[asyncio.Task[None]] = []
        self.port = 0

    async def run(self) -> None:
        """All of it, once."""
        await asyncio.gather(self._pull(), self._write())
        await asyncio.gather(*self._asking)
        self._calls.close()

    async def _call(self, path: str, body: Json, headers: dict[str, str] = HUBSPOT) -> Json:
        status, answer = await self._calls.post(path, body, headers)
        if status >= 300 and status != 429:
            raise RuntimeError(f"{path}: HTTP {status} {answer}")
        return answer

    # --- the CRM --------------------------------------------------------------------------------

    async def _pull(self) -> None:
        last = "0"
        while page := await self._search(last):
            last = page[-1]
            people = await self._read(page)
            await self._know_companies(people)
            self._ask(people)

    async def _search(self, last: str) -> list[str]:
        above = {"propertyName": "hs_object_id", "operator": "GT", "value": last}
        groups = [{"filters": [{"propertyName": f, "operator": "NOT_HAS_PROPERTY"}, above]} for f in FIELDS]
        body = {"filterGroups": groups, "sorts": ["hs_object_id"], "properties": ["lastmodifieddate"], "limit": PAGE}
        return [one["id"] for one in (await self._call(f"{CONTACTS}/search", body))["results"]]

    async def _read(self, ids: list[str]) -> list[Json]:
        wanted = {"properties": PROPERTIES, "propertiesWithHistory": list(FIELDS)}
        chunks = [ids[start : start + CHUNK] for start in range(0, len(ids), CHUNK)]
        bodies = [{"inputs": [{"id": one} for one in chunk], **wanted} for chunk in chunks]
        answers = await asyncio.gather(*(self._call(f"{CONTACTS}/batch/read", body) for body in bodies))
        return [one for answer in answers for one in answer["results"]]

    async def _know_companies(self, people: list[Json]) -> None:
        new = {one["properties"]["associatedcompanyid"] for one in people} - self._companies.keys()
        if new:
            body = {"inputs": [{"id": one} for one in new], "properties": ["name", "domain", "website", "country"]}
            found = await self._call("/crm/v3/objects/companies/batch/read", body)
            self._companies |= {one["id"]: one["properties"] for one in found["results"]}

    async def _write(self) -> None:
        left = self._size * (len(FIELDS) if self._provider == "zeliq" else 1)
        while left:
            values, taken = await self._batch(left)
            left -= taken
            held = {one["id"]: one["properties"] for one in await self._read(list(values))}
            blank = {key: {f: v for f, v in new.items() if not held[key].get(f)} for key, new in values.items()}
            body = {"inputs": [{"id": key, "properties": new} for key, new in blank.items()]}
            await self._call(f"{CONTACTS}/batch/update", body)
            for one in await self._read(list(values)):
                if any(one["properties"][name] != value for name, value in blank[one["id"]].items()):
                    raise RuntimeError("a value did not stand")

    async def _batch(self, left: int) -> tuple[dict[str, Json], int]:
        """The next contacts to write with their values, and how many answers these are."""
        values, taken, loop = dict[str, Json](), 0, asyncio.get_running_loop()
        end = float("inf")
        while len(values) < BATCH and taken < left:
            try:
                async with asyncio.timeout_at(None if end == float("inf") else end):
                    key, new = await self._answered.get()
            except TimeoutError:
                break
            end = min(end, loop.time() + LINGER)
            taken += 1
            values.setdefault(key, {}).update(new)
        return values, taken

    # --- the providers --------------------------------------------------------------------------

    def _ask(self, people: list[Json]) -> None:
        if self._provider == "zeliq":
            self._start(self._single(one, field) for one in people for field in FIELDS)
        else:
            self._start(self._bulk(people[start : start + BULK]) for start in range(0, len(people), BULK))

    def _start(self, calls: Any) -> None:
        self._asking += [asyncio.create_task(call) for call in calls]

    async def _bulk(self, people: list[Json]) -> None:
        callback = f"http://127.0.0.1:{self.port}/fullenrich"
        events = {"webhook_events": {"contact_finished": callback}} if self._each else {}
        data = [self._told(one["id"], one["properties"]) for one in people]
        body = {"name": "bench", "webhook_url": callback, **events, "data": data}
        await self._call("/api/v2/contact/enrich/bulk?silentFail=true", body, FULLENRICH)

    def _told(self, key: str, known: Json) -> Json:
        company = self._companies[known["associatedcompanyid"]]
        return {
            "first_name": known["firstname"],
            "last_name": known["lastname"],
            "domain": company["domain"],
            "company_name": company["name"],
            "linkedin_url": known["hs_linkedin_url"],
            "enrich_fields": ["contact.work_emails", "contact.phones"],
            "custom": {"contact_id": key, "attempt_id": key, "batch_id": "bench"},
        }

    async def _single(self, person: Json, field: str) -> None:
        callback = f"http://127.0.0.1:{self.port}/zeliq?id={person['id']}&field={field}"
        body = {"linkedin_url": person["properties"]["hs_linkedin_url"], "callbackUrl": callback}
        while (await self._call(f"/api/contact/enrich/{field}", body, ZELIQ)).get("statusCode") == 429:
            pass

    # --- callbacks ------------------------------------------------------------------------------

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """The ASGI application that takes callbacks."""
        request = Request(scope, receive)
        taken = self._from_zeliq if self._provider == "zeliq" else self._from_fullenrich
        await Response(status_code=taken(request, await request.body()))(scope, receive, send)

    def _from_fullenrich(self, request: Request, body: bytes) -> int:
        """A signed answer about one contact or a hundred."""
        signature = hmac.new(FULLENRICH_KEY.encode(), body, hashlib.sha1).hexdigest()
        if not hmac.compare_digest(request.headers.get("x-signature-sha1", ""), signature):
            return 401
        for one in json.loads(body)["data"]:
            key, info = one["custom"]["contact_id"], one["contact_info"]
            if key not in self._seen:
                self._seen.add(key)
                found = {"email": info["most_probable_work_email"]["email"]}
                self._answered.put_nowait((key, {**found, "phone": info["most_probable_phone"]["number"]}))
        return 200

    def _from_zeliq(self, request: Request, body: bytes) -> int:
        """An answer about one field of one contact."""
        contact, field = json.loads(body)["contact"], request.query_params["field"]
        self._answered.put_nowait((request.query_params["id"], {field: contact[f"most_probable_{field}"]}))
        return 200


async def main(options: Json) -> None:
    """Run it, and print what it used from the open listener on."""
    script = Script(**options)
    config = uvicorn.Config(
        script, host="127.0.0.1", port=0, http="httptools", loop="asyncio", ws="none", lifespan="off",
        access_log=False, log_level="warning", backlog=4096,
    )  # fmt: skip
    server = uvicorn.Server(config)
    serving = asyncio.create_task(server.serve())
    while not server.started:  # noqa: ASYNC110 - uvicorn has no event for it
        await asyncio.sleep(0.01)
    script.port = server.servers[0].sockets[0].getsockname()[1]
    start = cpu()
    await script.run()
    print(json.dumps({"start": start, "cpu": cpu() - start}), flush=True)
    server.should_exit = True
    await serving


if __name__ == "__main__":
    asyncio.run(main(json.loads(sys.argv[1])))
