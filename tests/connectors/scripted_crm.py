"""A HubSpot of a few records on a real socket, whose next answers a test can dictate.

For what the sandbox's HubSpot can't show: odd bodies, cut connections, exact refusals. It answers in
recorded shapes, counts connections, and keeps every request.
"""

from __future__ import annotations

import json
import socket
import threading
from collections import defaultdict, deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self

TEXT = ("email", "phone", "mobilephone", "firstname", "lastname", "company", "website", "country", "hs_linkedin_url")
OTHER = {
    "hs_email_domain": ("string", True),
    "associatedcompanyid": ("number", False),
    "lastmodifieddate": ("datetime", True),
    "hs_object_id": ("number", True),
    "hs_email_optout": ("bool", True),
    "hs_legal_basis": ("enumeration", False),
    "hs_merged_object_ids": ("enumeration", True),
    "lifecyclestage": ("enumeration", False),
}


@dataclass(frozen=True)
class Seen:
    """A request as it came."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: Any
    raw: bytes
    connection: int


@dataclass(frozen=True)
class Reply:
    """An answer to give. `cut`: close the connection instead."""

    status: int = 200
    body: Any = field(default_factory=dict)  # JSON, or bytes as they are
    headers: Mapping[str, str] = field(default_factory=dict)
    cut: bool = False


Script = Reply | Callable[[Seen], Reply]


def contact(number: str, /, **properties: Any) -> dict[str, Any]:
    """A record; `history` maps a property to its entries, newest first."""
    history = properties.pop("history", {})
    stamp = properties.setdefault("lastmodifieddate", "2026-09-01T10:00:00.000Z")
    record = {"id": number, "properties": {"hs_object_id": number, **properties}, "updatedAt": stamp, "archived": False}
    return {**record, "propertiesWithHistory": history} if history else record


def entry(value: str, source: str = "CRM_UI", at: str = "2026-09-01T10:00:00.000Z", **more: Any) -> dict[str, Any]:
    """A history entry; a person's unless `source` says otherwise."""
    user = {"sourceId": "userId:28604240", "updatedByUserId": 28604240} if source == "CRM_UI" else {}
    return {"value": value, "timestamp": at, "sourceType": source, **user, **more}


def refusal(message: str, category: str = "VALIDATION_ERROR", **more: Any) -> dict[str, Any]:
    """An error body."""
    return {"status": "error", "message": message, "correlationId": "c8617a85", "category": category, **more}


class ScriptedCrm:
    """Serve while entered. `on(end, *replies)` dictates the next answers to paths with that end."""

    def __init__(self, *records: dict[str, Any], properties: Mapping[str, tuple[str, bool]] | None = None) -> None:
        self.records = {record["id"]: record for record in records}
        self.companies: dict[str, dict[str, Any]] = {}
        self.properties = {**dict.fromkeys(TEXT, ("string", False)), **OTHER, **(properties or {})}
        self.headers: dict[str, str] = {}  # on every answer but those to searches
        self.seen: list[Seen] = []
        self._scripts: dict[str, deque[Script]] = defaultdict(deque)
        self._lock = threading.Lock()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._talk())
        self._server.daemon_threads = True
        self._connections: list[socket.socket] = []
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"

    def __enter__(self) -> Self:
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    @property
    def connections(self) -> int:
        return len({request.connection for request in self.seen})

    def on(self, end: str, *replies: Script) -> None:
        """The next answers to requests whose path ends so; after them it speaks for itself again."""
        self._scripts[end].extend(replies)

    def asked(self, end: str) -> list[Seen]:
        """The requests so far whose path ends so."""
        return [request for request in self.seen if request.path.endswith(end)]

    def answer(self, request: Seen) -> Reply:
        with self._lock:
            self.seen.append(request)
            for end, replies in self._scripts.items():
                if request.path.endswith(end) and replies:
                    script = replies.popleft()
                    return script if isinstance(script, Reply) else script(request)
            return self._usual(request)

    def _usual(self, request: Seen) -> Reply:
        path = request.path
        if path.endswith("details"):
            return Reply(body={"portalId": 44956899, "timeZone": "Europe/Paris", "utcOffsetMilliseconds": 7_200_000})
        if path.endswith(("properties/contacts", "2026-09/contacts")):
            return Reply(body={"results": [_definition(n, *kind) for n, kind in self.properties.items()]})
        if path.endswith("search"):
            return self._search(request.body)
        if path.endswith("companies/batch/read"):
            return Reply(
                body=_batch([self.companies[i["id"]] for i in request.body["inputs"] if i["id"] in self.companies])
            )
        if path.endswith("batch/read"):
            return self._read([i["id"] for i in request.body["inputs"]])
        if path.endswith("batch/update"):
            return Reply(body=_batch([{"id": i["id"], "properties": i["properties"]} for i in request.body["inputs"]]))
        return Reply(404, b"<html><title>Error 404 Not Found</title></html>", {"Content-Type": "text/html"})

    def _search(self, body: Any) -> Reply:
        """It nominates everybody: whether they still lack something is the client's to find out."""
        last = next(f["value"] for f in body["filterGroups"][0]["filters"] if f["propertyName"] == "hs_object_id")
        left = sorted(int(i) for i in self.records if int(i) > int(last))
        page = [{"id": str(i), "properties": self.records[str(i)]["properties"]} for i in left[: body["limit"]]]
        more = {"paging": {"next": {"after": str(body["limit"])}}} if len(left) > body["limit"] else {}
        return Reply(body={"total": len(left), "results": page, **more})

    def _read(self, ids: list[str]) -> Reply:
        found = [self.records[i] for i in reversed(ids) if i in self.records]
        missing = [i for i in ids if i not in self.records]
        if not missing:
            return Reply(body=_batch(found))
        errors = [refusal("Could not get some CONTACT objects", "OBJECT_NOT_FOUND", context={"ids": missing})]
        return Reply(207, _batch(found, errors))

    def _talk(self) -> type[BaseHTTPRequestHandler]:
        crm = self

        class Talk(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True

            def do_POST(self) -> None:
                raw = self.rfile.read(int(self.headers.get("content-length", 0)))
                body = json.loads(raw) if "json" in self.headers.get("content-type", "") and raw else None
                headers = {k.lower(): v for k, v in self.headers.items()}
                reply = crm.answer(Seen(self.command, self.path, headers, body, raw, self.client_address[1]))
                if reply.cut:
                    self.close_connection = True
                    return
                content = reply.body if isinstance(reply.body, bytes) else json.dumps(reply.body).encode()
                self.send_response(reply.status)
                usual = {} if self.path.endswith("search") else crm.headers
                for name, value in {"Content-Type": "application/json", **usual, **reply.headers}.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            do_GET = do_POST  # noqa: N815 - the names are the library's

            def log_message(self, *_: object) -> None:
                return

        return Talk


def _definition(name: str, kind: str, read_only: bool) -> dict[str, Any]:
    return {"name": name, "type": kind, "archived": False, "modificationMetadata": {"readOnlyValue": read_only}}


def _batch(results: list[dict[str, Any]], errors: list[dict[str, Any]] | None = None) -> dict[str, Any]:
    body: dict[str, Any] = {"status": "COMPLETE", "results": results, "startedAt": "x", "completedAt": "y"}
    return {**body, "errors": errors, "numErrors": len(errors)} if errors else body


def partly(results: list[dict[str, Any]], *errors: dict[str, Any]) -> Reply:
    """A 207."""
    return Reply(207, _batch(results, list(errors)))
