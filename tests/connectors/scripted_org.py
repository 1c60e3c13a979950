"""A Salesforce org of a few records on a real socket, whose next answers a test can dictate.

For what the sandbox's Salesforce can't show: odd bodies, cut connections, exact refusals, moments between two
calls. It keeps the session, the conditions of updates and its own time, and every request. Its queries know
only what our pulls ask.
"""

from __future__ import annotations

import json
import re
import threading
from collections import defaultdict, deque
from collections.abc import Callable, Mapping
from email.utils import formatdate, parsedate_to_datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self
from urllib.parse import parse_qs, unquote, urlsplit

from syncd.contract.testing import StillClock
from tests.connectors.scripted_crm import Reply, Seen

ORG, USER, COLLEAGUE = "00D5g00000ABCDEEA0", "0055g00000AAAAAAA0", "0055g00000BBBBBAA0"
EXPIRED = Reply(401, [{"message": "Session expired or invalid", "errorCode": "INVALID_SESSION_ID"}])
DAILY = Reply(403, [{"message": "TotalRequests Limit exceeded.", "errorCode": "REQUEST_LIMIT_EXCEEDED"}])
_TYPES = {"Email": ("email", 80), "Phone": ("phone", 40), "MobilePhone": ("phone", 40), "IsConverted": ("boolean", 0)}
_PLAIN = ("FirstName", "LastName", "Company", "Website", "Country", "MailingCountry", "AccountId")
_STAMPS = ("LastModifiedDate", "SystemModstamp")
_CHECK = "ABCDEFGHIJKLMNOPQRSTUVWXYZ012345"

Script = Reply | Callable[[Seen], Reply]


def definition(name: str, **more: Any) -> dict[str, Any]:
    """A field as a describe has it."""
    kind, length = _TYPES.get(name, ("datetime" if name in _STAMPS else "string", 255))
    usual = {"type": kind, "length": length, "label": name, "updateable": name not in _STAMPS, "filterable": True}
    return {"name": name, "custom": name.endswith("__c"), **usual, **more}


def record_id(number: int, prefix: str = "003") -> str:
    """An id of 18 characters."""
    raw = f"{prefix}5g00000{number:05d}"
    parts = (raw[0:5], raw[5:10], raw[10:15])
    return raw + "".join(_CHECK[sum(c.isupper() << i for i, c in enumerate(part))] for part in parts)


def refusal(code: str, message: str = "no", fields: list[str] | None = None, **more: Any) -> list[dict[str, Any]]:
    """An error body."""
    return [{"message": message, "errorCode": code, **({} if fields is None else {"fields": fields}), **more}]


class ScriptedOrg:
    """Serve while entered. `on(end, *replies)` dictates the next answers to paths with that end."""

    def __init__(self, clock: StillClock, kind: str = "Contact") -> None:
        self.clock, self.kind = clock, kind
        self.ahead = 0.0  # of the client's clock, in seconds
        self.records: dict[str, dict[str, Any]] = {}
        self.merged: dict[str, str] = {}
        self.history: list[dict[str, Any]] | None = None  # None: there is no such object
        names = ("Email", "Phone", "MobilePhone", *_PLAIN, *_STAMPS, *(("IsConverted",) if kind == "Lead" else ()))
        self.fields = {name: definition(name) for name in names}
        self.account_fields = {"Name", "Website"}
        self.usage = "api-usage=18/5000"
        self.refuse: Callable[[str, Mapping[str, Any]], list[dict[str, Any]] | None] = lambda *_: None
        self.before_write: deque[Callable[[], object]] = deque()  # one per writing call
        self.logins = 0
        self.seen: list[Seen] = []
        self._scripts: dict[str, deque[Script]] = defaultdict(deque)
        self._lock = threading.RLock()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._talk())
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"

    def __enter__(self) -> Self:
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    # --- what people and tests do ---------------------------------------------------------------

    @property
    def now(self) -> float:
        return self.clock.time + self.ahead

    def add(self, number: int, age: float = 3_600.0, **fields: Any) -> str:
        """A record that was last touched `age` seconds ago; returns its id."""
        one = record_id(number, "003" if self.kind == "Contact" else "00Q")
        stamp = _stamp(self.now - age)
        self.records[one] = {"Id": one, "SystemModstamp": stamp, "LastModifiedDate": stamp, **fields}
        return one

    def edit(self, one: str, **fields: Any) -> None:
        """A colleague."""
        stamp = _stamp(self.now)
        self.records[one].update({**fields, "SystemModstamp": stamp, "LastModifiedDate": stamp})

    def expire(self) -> None:
        """Every session ends."""
        self.logins += 1

    def on(self, end: str, *replies: Script) -> None:
        """The next answers to requests whose path ends so; after them it speaks for itself again."""
        self._scripts[end].extend(replies)

    def asked(self, end: str) -> list[Seen]:
        """The requests so far whose path ends so."""
        return [request for request in self.seen if urlsplit(request.path).path.endswith(end)]

    @property
    def updates(self) -> list[list[dict[str, Any]]]:
        """The parts of each composite call that updated."""
        calls = [request.body["compositeRequest"] for request in self.asked("/composite")]
        return [parts for parts in calls if parts[0]["method"] == "PATCH"]

    @property
    def queries(self) -> list[str]:
        return [parse_qs(urlsplit(request.path).query)["q"][0] for request in self.asked("/query")]

    # --- what it answers ------------------------------------------------------------------------

    def answer(self, request: Seen) -> Reply:
        path = urlsplit(request.path).path
        with self._lock:
            self.seen.append(request)
            for end, replies in self._scripts.items():
                if path.endswith(end) and replies:
                    script = replies.popleft()
                    return script if isinstance(script, Reply) else script(request)
            if path.endswith("/oauth2/token"):
                return self._login(request)
            if request.headers.get("authorization") != f"Bearer {self._session}":
                return EXPIRED
            return self._usual(path, request)

    @property
    def _session(self) -> str:
        return f"{ORG[:15]}!AQ{self.logins}"

    def _login(self, request: Seen) -> Reply:
        self.logins += 1
        who = f"https://login.salesforce.com/id/{ORG}/{USER}"
        host = f"https://{request.headers['host']}"
        return Reply(body={"access_token": self._session, "instance_url": host, "id": who, "token_type": "Bearer"})

    def _usual(self, path: str, request: Seen) -> Reply:
        if path.endswith("/describe"):
            names = [definition(name) for name in self.account_fields]
            fields = names if "/Account/" in path else list(self.fields.values())
            return Reply(body={"updateable": True, "fields": fields})
        if path.endswith(("/query", "/queryAll")):
            return self._query(parse_qs(urlsplit(request.path).query)["q"][0])
        if path.endswith("/composite"):
            parts = request.body["compositeRequest"]
            if parts[0]["method"] == "PATCH" and self.before_write:
                self.before_write.popleft()()
            return Reply(body={"compositeResponse": [self._part(part) for part in parts]})
        if path.endswith("/composite/sobjects"):
            if self.before_write:
                self.before_write.popleft()()
            return Reply(body=[self._row(one) for one in request.body["records"]])
        if "/composite/sobjects/" in path:
            found = [self.records.get(one) for one in request.body["ids"]]
            if unseen := set(request.body["fields"]) - self.fields.keys() - {"Id"}:
                return Reply(400, refusal("INVALID_FIELD", f"No such column '{min(unseen)}' on entity 'Contact'."))
            return Reply(body=[one and {"attributes": {"type": self.kind}, **one} for one in found])
        return Reply(404, refusal("NOT_FOUND", "The requested resource does not exist"))

    def _query(self, query: str) -> Reply:
        if "History " in query:
            if self.history is None:
                return Reply(400, refusal("INVALID_TYPE", "sObject type 'ContactHistory' is not supported."))
            return _result([row for row in self.history if row["ContactId"] in query or "ContactId" not in query])
        if "MasterRecordId" in query:
            return _result([{"Id": k, "MasterRecordId": v} for k, v in self.merged.items() if k in query])
        known = [*self.fields, "Id", *(f"Account.{name}" for name in self.account_fields)]
        columns = query.removeprefix("SELECT ").partition(" FROM ")[0].split(", ")
        if unseen := [name for name in columns if name not in known]:
            return Reply(400, refusal("INVALID_FIELD", f"No such column '{unseen[0]}' on entity 'Contact'."))
        limit = int(query.rpartition("LIMIT ")[2])
        rows = sorted(
            (row for row in self.records.values() if _matches(row, query)), key=lambda row: _place(row, query)
        )
        shown = [{"attributes": {"type": self.kind}, **row} for row in rows[:limit]]
        return _result(shown[:2_000], done=len(shown) <= 2_000)

    def _part(self, part: dict[str, Any]) -> dict[str, Any]:
        told: dict[str, Any] = {"referenceId": part["referenceId"], "httpHeaders": {}}
        if part["method"] == "GET":
            reply = self._query(unquote(part["url"].partition("q=")[2]))
            return {**told, "httpStatusCode": reply.status, "body": reply.body}
        status, body = self._update(part["url"].rpartition("/")[2], part["body"], part.get("httpHeaders", {}))
        return {**told, "httpStatusCode": status, "body": body}

    def _row(self, row: dict[str, Any]) -> dict[str, Any]:
        values = {name: value for name, value in row.items() if name not in {"attributes", "id"}}
        status, body = self._update(row["id"], values, {})
        if status == 204:
            return {"id": row["id"], "success": True, "errors": []}
        errors = [{"statusCode": one["errorCode"], "message": one["message"], "fields": []} for one in body or []]
        return {"success": False, "errors": errors}

    def _update(
        self, one: str, values: dict[str, Any], headers: Mapping[str, str]
    ) -> tuple[int, list[dict[str, Any]] | None]:
        row = self.records.get(one)
        if row is None:
            return 404, refusal("ENTITY_IS_DELETED", "entity is deleted", [])
        since = headers.get("If-Unmodified-Since")
        if since and _seconds(row["SystemModstamp"]) > parsedate_to_datetime(since).timestamp():
            return 412, None
        if body := self.refuse(one, values):
            return 400, body
        self.edit(one, **values)
        return 204, None

    def _talk(self) -> type[BaseHTTPRequestHandler]:
        org = self

        class Talk(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True

            def do_POST(self) -> None:
                raw = self.rfile.read(int(self.headers.get("content-length", 0)))
                body = json.loads(raw) if "json" in self.headers.get("content-type", "") and raw else None
                headers = {k.lower(): v for k, v in self.headers.items()}
                reply = org.answer(Seen(self.command, self.path, headers, body, raw, self.client_address[1]))
                if reply.cut:
                    self.close_connection = True
                    return
                content = reply.body if isinstance(reply.body, bytes) else json.dumps(reply.body).encode()
                self.send_response_only(reply.status)
                usual = {"Content-Type": "application/json", "Date": formatdate(org.now, usegmt=True)}
                for name, value in {**usual, "Sforce-Limit-Info": org.usage, **reply.headers}.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            do_GET = do_PATCH = do_POST  # noqa: N815 - the names are the library's

            def log_message(self, *_: object) -> None:
                return

        return Talk


def _result(rows: list[Any], *, done: bool = True) -> Reply:
    return Reply(body={"totalSize": len(rows), "done": done, "records": rows})


def _matches(row: dict[str, Any], query: str) -> bool:
    """Does it lack something, and is it still to come?"""
    reachable = row.get("Email") and (row.get("Phone") or row.get("MobilePhone"))
    stamp, here = _seconds(row["SystemModstamp"]), row["Id"]
    window = re.search(r"SystemModstamp >= (\S+) AND SystemModstamp < (\S+)", query)
    after = re.search(r"SystemModstamp > (\S+) OR \(SystemModstamp = \S+ AND Id > '(\w+)'", query)
    last = re.search(r" AND Id > '(\w+)' ORDER", query)
    return (
        not reachable
        and not row.get("IsConverted")
        and (window is None or _literal(window[1]) <= stamp < _literal(window[2]))
        and (after is None or (stamp, here) > (_literal(after[1]), after[2]))
        and (last is None or here > last[1])
    )


def _place(row: dict[str, Any], query: str) -> tuple[float, str]:
    return (_seconds(row["SystemModstamp"]) if "ORDER BY SystemModstamp" in query else 0.0, row["Id"])


def _stamp(moment: float) -> str:
    return parsedate_to_datetime(formatdate(moment, usegmt=True)).strftime("%Y-%m-%dT%H:%M:%S.000+0000")


def _seconds(stamp: str) -> float:
    return parsedate_to_datetime(stamp).timestamp() if "," in stamp else _literal(stamp)


def _literal(text: str) -> float:
    from datetime import datetime  # noqa: PLC0415 - only here

    return datetime.fromisoformat(text).timestamp()
