"""POST /composite: up to 25 calls in one, each with its own headers and status.

A part inherits only Accept, Authorization and Content-Type from the whole ("Composite Subrequest"), so that
Sforce-Auto-Assign and conditions must stand in each part's `httpHeaders`. The whole counts as one call.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from .calls import Answer, Call, Dispatcher, Operation
from .org import Org
from .replies import Refusal

PARTS, HEAVY_PARTS = 25, 5
_OWN = frozenset({"accept", "authorization", "content-type"})
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_]*")
_REFERENCE = re.compile(r"@\{([A-Za-z0-9_]+)((?:\.\w+|\[\d+\])*)\}")
_HALTED = "The transaction was rolled back since another operation in the same transaction failed."
_TOO_MANY = f"The request can’t contain more than {PARTS} operations."  # noqa: RUF001 - as recorded
_ADDRESS = re.compile(r"/services/data/v(\d\d\.0)(/.*)")
_HEAVY = re.compile(r"/(query|queryAll|composite/sobjects)\b.*")


class Composite:
    """Takes a call apart and puts the answers together."""

    def __init__(self, org: Org, dispatcher: Dispatcher) -> None:
        self.org, self.dispatcher = org, dispatcher

    def post(self, call: Call) -> Answer:
        """200 whatever became of the parts; raises Refusal if the whole is badly made."""
        body = call.body()
        parts = body.get("compositeRequest")
        if not isinstance(parts, list) or not parts:
            raise Refusal("INVALID_INPUT", "compositeRequest is required")
        if len(parts) > PARTS:
            refusal = Refusal("LIMIT_EXCEEDED", _TOO_MANY)
            return Answer(400, {"compositeResponse": [_worded(Answer(400, refusal.body()), None)]})
        self._check(parts)
        mark, done, answers = len(self.org.store.log), dict[str, Any](), list[dict[str, Any]]()
        for part in parts:
            answer = self._run(call, part, done)
            done[part["referenceId"]] = answer.body if answer.status < 300 else None
            answers.append(_worded(answer, part["referenceId"]))
        if body.get("allOrNone") is True and any(one["httpStatusCode"] >= 400 for one in answers):
            self.org.store.undo(mark, call.session.user)
            halted = Answer(400, Refusal("PROCESSING_HALTED", _HALTED).body())
            answers = [one if one["httpStatusCode"] >= 400 else _worded(halted, one["referenceId"]) for one in answers]
        return Answer(body={"compositeResponse": answers})

    def _check(self, parts: list[Any]) -> None:
        names: set[str] = set()
        for part in parts:
            if not isinstance(part, Mapping) or not all(isinstance(part.get(key), str) for key in ("method", "url")):
                raise Refusal("INVALID_INPUT", "Each subrequest needs method, url and referenceId")
            name = part.get("referenceId")
            if not isinstance(name, str) or not _NAME.fullmatch(name):
                raise Refusal("INVALID_INPUT", f"Provided referenceId ('{name}') must start with a letter or a number")
            if name in names:
                raise Refusal("INVALID_INPUT", f"Duplicate ReferenceId provided for: {name}")
            names.add(name)
            headers = part.get("httpHeaders") or {}
            if not isinstance(headers, Mapping) or not all(isinstance(one, str) for one in headers.values()):
                raise bad_headers()
            if own := sorted(one for one in headers if one.lower() in _OWN):
                raise Refusal("INVALID_INPUT", f"Header not allowed in a subrequest: {', '.join(own)}")
        heavy = [one for one in parts if (found := _ADDRESS.match(one["url"])) and _HEAVY.fullmatch(found[2])]
        if len(heavy) > HEAVY_PARTS:
            text = f"The request can't contain more than {HEAVY_PARTS} query or collections operations."
            raise Refusal("LIMIT_EXCEEDED", text)

    def _run(self, call: Call, part: Mapping[str, Any], done: Mapping[str, Any]) -> Answer:
        try:
            operation, own = self._part(call, part, done)
            return operation.run(own)
        except Refusal as refusal:
            return Answer(refusal.status, refusal.body())

    def _part(self, call: Call, part: Mapping[str, Any], done: Mapping[str, Any]) -> tuple[Operation, Call]:
        address = urlsplit(_resolve(part["url"], done))
        found = _ADDRESS.fullmatch(address.path)
        if found is None or address.netloc:
            text = f"The url ({address.path}) for the subrequest must begin with /services/data/vXX.X/"
            raise Refusal("INVALID_INPUT", text)
        operation, path = self.dispatcher.find(part["method"], found[2])
        if operation.group == "bulk" or operation.name == "composite":
            raise Refusal("INVALID_INPUT", f"{found[2]} can't be part of a composite call")
        inherited = {name: call.headers[name] for name in _OWN if name in call.headers}
        own = replace(
            call,
            version=found[1],
            method=part["method"],
            path=path,
            query=dict(parse_qsl(address.query, keep_blank_values=True)),
            headers=inherited | {name.lower(): value for name, value in (part.get("httpHeaders") or {}).items()},
            parsed=_resolve(part.get("body"), done),
            is_part=True,
        )
        return operation, own


def bad_headers() -> Refusal:
    """`httpHeaders` that map anything but names to texts."""
    return Refusal("JSON_PARSER_ERROR", "Cannot deserialize instance of map from httpHeaders")


def _worded(answer: Answer, name: str | None) -> dict[str, Any]:
    return {
        "body": answer.body,
        "httpHeaders": answer.headers,
        "httpStatusCode": answer.status,
        "referenceId": name,
    }


def _resolve(given: Any, done: Mapping[str, Any]) -> Any:
    """With every `@{name.path}` replaced by what an earlier part answered."""
    if isinstance(given, dict):
        return {key: _resolve(value, done) for key, value in given.items()}
    if isinstance(given, list):
        return [_resolve(one, done) for one in given]
    if not isinstance(given, str):
        return given

    def value(found: re.Match[str]) -> str:
        here = done.get(found[1])
        try:
            for name, index in re.findall(r"\.(\w+)|\[(\d+)\]", found[2]):
                here = here[int(index)] if index else here[name]  # type: ignore[index]
        except (KeyError, IndexError, TypeError):
            here = None
        if here is None:
            text = f"Invalid reference specified. No value for {found[1]}{found[2]} found in {found[1]}"
            raise Refusal("PROCESSING_HALTED", text)
        return here if isinstance(here, str) else json.dumps(here)

    return _REFERENCE.sub(value, given)
