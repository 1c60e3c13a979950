"""The example configuration: it can be used as it is, and it shows everything once."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from pydantic import BaseModel

from syncd.config import Alert, NamedBudget, Settings, Traces, load
from syncd.config.sections import ConnectionSection, Document, Extras, FieldSection, InDoubtRule, Keep, SyncSection
from syncd.contract.model import ASKED
from syncd.registry import Registry

EXAMPLE = Path(__file__).parents[2] / "config.example.yaml"
TEXT = EXAMPLE.read_text(encoding="utf-8")
REGISTRY = Registry()


@pytest.fixture(scope="module")
def settings() -> Settings:
    names = re.findall(r"\$\{(\w+)\}", TEXT)
    return load(EXAMPLE, dict.fromkeys(names, "x" * 32), registry=REGISTRY)


def test_it_loads_without_a_warning(settings: Settings) -> None:
    assert settings.warnings == ()
    assert set(settings.syncs[0].fields) == set(ASKED)
    assert {connection.connector for connection in settings.connections.values()} == set(REGISTRY.names())


def models() -> Iterator[type[BaseModel]]:
    sections = [Document.model_fields[name].annotation for name in ("ledger", "callbacks", "admin", "log", "people")]
    yield from (section for section in sections if isinstance(section, type) and issubclass(section, BaseModel))
    yield from (Document, Alert, NamedBudget, Traces, Keep, ConnectionSection, InDoubtRule)
    yield from (SyncSection, FieldSection, Extras)
    yield from (REGISTRY.kind(name).options for name in REGISTRY.names())


@pytest.mark.parametrize("model", list(models()), ids=lambda model: f"{model.__module__}.{model.__name__}")
def test_it_shows_every_option(model: type[BaseModel]) -> None:
    assert [name for name in model.model_fields if not re.search(rf"(?m)^[\s#-]*{name}:|[{{,] {name}:", TEXT)] == []


def test_what_it_calls_a_default_is_one() -> None:
    shown = load(EXAMPLE, dict.fromkeys(re.findall(r"\$\{(\w+)\}", TEXT), "x" * 32), registry=REGISTRY)
    for connection in shown.connections.values():
        defaults = type(connection.options).model_fields
        differ = [
            name
            for name, value in connection.options
            if not defaults[name].is_required() and value != defaults[name].default
        ]
        assert set(differ) <= {"access_token", "client_id", "client_secret"}  # one of several ways in is shown
