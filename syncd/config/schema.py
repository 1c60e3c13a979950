"""The configuration as JSON Schema, for editors that complete and check while one types."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from pydantic import BaseModel

from .descriptions import DESCRIPTIONS
from .scalars import DURATION_SCHEMA, LISTEN_SCHEMA, SIZE_SCHEMA, spelled_duration, spelled_size
from .sections import Document
from .settings import Kind

_REFERENCES = [
    {"type": "object", "properties": {key: {"type": "string"}}, "required": [key], "additionalProperties": False}
    for key in ("file", "credential")
]


def json_schema(kinds: Iterable[Kind] = ()) -> dict[str, Any]:
    """The schema of the whole file, with the options of the given kinds of connection."""
    schema = _schema(Document)
    connection = schema["$defs"]["ConnectionSection"]
    shared = connection["properties"]
    known = sorted(kinds, key=lambda kind: kind.name)
    if known:
        connection["properties"] = {**shared, "connector": {"enum": [kind.name for kind in known]}}
        connection["allOf"] = [_when(kind, shared, schema["$defs"]) for kind in known]
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        **schema,
        "title": "syncd configuration",
        "$defs": {name: _secrets_by_reference(part) for name, part in schema["$defs"].items()},
    }


def _when(kind: Kind, shared: dict[str, Any], defs: dict[str, Any]) -> dict[str, Any]:
    """If the connector is this kind, then its options (and what every connection has) and no others."""
    options = _schema(kind.options)
    defs.update(options.pop("$defs", {}))
    then = {**options, "properties": {**shared, **options.get("properties", {})}}
    return {"if": {"properties": {"connector": {"const": kind.name}}}, "then": _secrets_by_reference(then)}


def _schema(model: type[BaseModel]) -> dict[str, Any]:
    schema = model.model_json_schema(mode="validation")
    for name, part in [(model.__name__, schema), *schema.get("$defs", {}).items()]:
        for key, value in part.get("properties", {}).items():
            if said := DESCRIPTIONS.get(name, {}).get(key):
                value["description"] = said
            _spell_default(value)
    return schema


def _spell_default(value: dict[str, Any]) -> None:
    """A default as it would be written; none where it is "left out", or a section whose own keys have theirs."""
    default, pattern = value.get("default"), value.get("pattern")
    if default is None or isinstance(default, dict):
        value.pop("default", None)
    elif pattern == DURATION_SCHEMA["pattern"]:
        value["default"] = spelled_duration(default)
    elif pattern == SIZE_SCHEMA["pattern"]:
        value["default"] = spelled_size(default)
    elif pattern == LISTEN_SCHEMA["pattern"]:
        value["default"] = ":".join(map(str, default))


def _secrets_by_reference(part: Any) -> Any:
    """Wherever a secret may be written, `{file: …}` and `{credential: …}` may be written as well."""
    if isinstance(part, list):
        return [_secrets_by_reference(item) for item in part]
    if not isinstance(part, dict):
        return part
    if part.get("format") == "password":
        said = {key: part[key] for key in ("title", "description") if key in part}
        return {**said, "anyOf": [{"type": "string"}, *_REFERENCES]}
    return {key: _secrets_by_reference(value) for key, value in part.items()}
