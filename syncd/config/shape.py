"""pydantic's findings in the words of people: which key, what is wrong, what to write instead.

In here: one value against one model. Not in here: what a value means to another one.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Iterator
from decimal import Decimal
from typing import Any, TypeVar, get_args

from pydantic import BaseModel, SecretStr, ValidationError

from .document import Report, Where
from .secret import Secrets

M = TypeVar("M", bound=BaseModel)
_NUMBERS = {int, float, Decimal}
_UNDERSCORES = re.compile(r"[-+]?[0-9.]+(?:_[0-9.]+)+(?:[eE][-+]?[0-9_]+)?")
_MEMBER = re.compile(r"<\w+\.\w+: ('[^']*')>")  # how pydantic shows a member of an enumeration

_WORDS = {
    "missing": "is missing; add it",
    "string_type": "must be text; put it in quotes",
    "bool_type": "must be true or false",
    "bool_parsing": "must be true or false",
    "tuple_type": "must be a list, such as [a, b]",
    "list_type": "must be a list, such as [a, b]",
    "dict_type": "must be a mapping of keys to values",
    "model_type": "must be a mapping of keys to values",
    "int_type": "must be a whole number",
    "int_parsing": "must be a whole number",
    "float_type": "must be a number",
    "float_parsing": "must be a number",
    "decimal_type": "must be a number",
    "decimal_parsing": "must be a number",
    "path_type": "must be a path",
}


def fit(
    model: type[M], value: Any, where: Where, report: Report, secrets: Secrets, *, beside: Iterable[str] = ()
) -> M | None:
    """The value as the model, or None with every reason in the report.

    `beside` are keys that may stand beside the model's own, for suggestions.
    """
    for step in _with_underscores(model, value):
        report.problem((*where, *step), "is no number; write it without underscores, such as 10000")
    try:
        return model.model_validate(value)
    except ValidationError as invalid:
        errors = invalid.errors(include_url=False)
        for error in errors:
            place: Where = tuple(step for step in error["loc"] if step != "[key]")
            if error["type"] == "too_short" and any(_under(other["loc"], error["loc"]) for other in errors):
                continue  # it is short because its parts are wrong, which is said of them
            if not secrets.broken((*where, *place)):
                report.problem((*where, *place), _explain(model, place, dict(error), beside))
        return None


def suggest(wrong: str, known: Iterable[str]) -> str:
    """`did you mean 'x'?`, or all that there is."""
    names = sorted(known)
    close = difflib.get_close_matches(wrong, names, n=1)
    return f"did you mean {close[0]!r}?" if close else f"there is: {', '.join(names) or 'none'}"


def secret_fields(model: type[BaseModel]) -> list[str]:
    """The fields whose type says that they hold a secret."""
    return [name for name, field in model.model_fields.items() if SecretStr in _inside(field.annotation)]


def _with_underscores(wanted: Any, value: Any, place: Where = ()) -> Iterator[Where]:
    """Where a number is wanted and `1_000` stands: a text in YAML 1.2, which pydantic would take for a thousand."""
    parts = _inside(wanted)
    if isinstance(value, dict):
        model = next((part for part in parts if issubclass(part, BaseModel)), None)
        fields = {} if model is None else model.model_fields
        for key, inner in value.items():
            yield from _with_underscores(fields[key].annotation if key in fields else wanted, inner, (*place, key))
    elif isinstance(value, list):
        for position, inner in enumerate(value):
            yield from _with_underscores(wanted, inner, (*place, position))
    elif isinstance(value, str) and _UNDERSCORES.fullmatch(value) and _NUMBERS.intersection(parts):
        yield place


def _explain(model: type[BaseModel], place: Where, error: dict[str, Any], beside: Iterable[str]) -> str:
    kind, context = error["type"], error.get("ctx", {})
    if error["input"] is None and kind != "missing":
        return "is empty; write a value, or leave the key out"
    if kind == "extra_forbidden":
        known = {*_model_at(model, place[:-1]).model_fields, *(beside if len(place) == 1 else ())}
        return f"unknown key; {suggest(str(place[-1]), known)}"
    if kind in {"enum", "literal_error"}:
        expected = _MEMBER.sub(r"\1", context["expected"])
        return f"must be {expected}"
    if kind in {"too_short", "string_too_short"}:
        unit = "" if isinstance(error["input"], list | dict) else " characters"
        return f"needs at least {context['min_length']}{unit}"
    if kind == "value_error":
        return str(context["error"])
    return _WORDS.get(kind) or error["msg"].replace("Input should", "must").replace("Value should", "must")


def _under(place: Where, parent: Where) -> bool:
    return len(place) > len(parent) and place[: len(parent)] == parent


def _model_at(model: type[BaseModel], place: Where) -> type[BaseModel]:
    """The model that a place belongs to; list positions and free keys are passed over."""
    for step in place:
        field = model.model_fields.get(str(step))
        if field is not None:
            model = next((t for t in _inside(field.annotation) if issubclass(t, BaseModel)), model)
    return model


def _inside(annotation: Any) -> list[type]:
    parts = get_args(annotation)
    if not parts:
        return [annotation] if isinstance(annotation, type) else []
    return [found for part in parts for found in _inside(part)]
