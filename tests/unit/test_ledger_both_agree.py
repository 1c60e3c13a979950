"""The same happens to two ledgers, one in SQLite's file and one in PostgreSQL: in the end every row is the same."""

from __future__ import annotations

import itertools
import json
import re
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from syncd.contract.model import Grade
from syncd.ledger.sqlite import sqlite3
from tests import places
from tests.contract.fake_crm import FakeCrm
from tests.contract.fake_provider import FakeProvider

from .harness import DAY, EMAIL, ONE_BY_ONE, PHONE, Harness

pytest.importorskip("psycopg", reason="psycopg is not installed")

LEFT_OUT = {"worker", "claim", "step"}  # a process's number is drawn; steps are compared as events
EXAMPLES = 20 if places.on_postgres() else 3  # each works through two pipelines: seconds; the most of them `make many`
_TABLES = """
SELECT name FROM sqlite_schema
WHERE type = 'table' AND name NOT LIKE '%sqlite%' AND name NOT LIKE 'contact_words%'"""
_EVENTS = "SELECT job_id, at, source, target, reason, note, provider, submission_id FROM event"
_numbers = itertools.count()


def another_person(harness: Harness) -> None:
    """Every second one has a phone, every third one no e-mail, every fourth one a name that somebody else has."""
    n = len(harness.crm.records)
    person = harness.person(f"P{n // 4 if n % 4 == 3 else n}")
    if n % 3:
        harness.finds(person, EMAIL, f"p{n}@acme.example.com", by="ann" if n % 2 else "bob")
    if n % 2:
        harness.finds(person, PHONE, f"+1201555{n:04}", grade=Grade.VALID if n % 5 else Grade.UNKNOWN)


def answers(harness: Harness) -> None:
    for name in harness.fakes:
        harness.answer_all(name)


def days_pass(harness: Harness) -> None:
    harness.clock.time += 3 * DAY
    harness.sweep()


def one_is_gone(harness: Harness) -> None:
    if harness.crm.records:
        harness.crm.remove(min(harness.crm.records))


def all_is_put_back(harness: Harness) -> None:
    harness.undo()
    harness.undoing()


def restart(harness: Harness) -> None:
    harness.reopen()
    harness.recover()


STEPS: list[Callable[[Harness], Any]] = [
    another_person, another_person, Harness.ask, Harness.ask, answers, Harness.finish, Harness.verify, days_pass,
    one_is_gone, all_is_put_back, restart,
]  # fmt: skip


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("agree")


@contextmanager
def chosen(engine: str) -> Iterator[None]:
    """This database, whatever the other tests run on."""
    before = places.on_postgres()
    places.choose(engine)
    try:
        yield
    finally:
        places.choose(places.ENGINES[before])


def made(folder: Path, engine: str) -> Harness:
    """A ledger of its own in this database."""
    with chosen(engine):
        path = folder / engine / str(next(_numbers))
        path.mkdir(parents=True)
        providers = [FakeProvider(name, capabilities=ONE_BY_ONE) for name in ("ann", "bob")]
        return Harness(path, providers=providers, crm=FakeCrm("crm"))


def rows_of(harness: Harness, tables: list[str]) -> Iterator[tuple[str, list[tuple[Any, ...]]]]:
    for table in tables:
        yield table, _rows(harness, f"SELECT * FROM {table}")
    yield "event", _rows(harness, _EVENTS)  # which of two that happen at once is the first, is open


def _rows(harness: Harness, sql: str) -> list[tuple[Any, ...]]:
    return sorted((tuple(map(_read, row)) for row in harness.sql(sql)), key=repr)


def _read(value: Any) -> Any:
    """JSON that a statement has made is the same in any order, with blanks or without; of steps, their number."""
    if isinstance(value, str) and re.fullmatch(r"(,\d+)+", value):
        return value.count(",")
    return repr(_sorted(json.loads(value))) if isinstance(value, str) and value.startswith(("[", "{")) else value


def _sorted(value: Any) -> Any:
    return json.loads(json.dumps(value, sort_keys=True))


def on_each(both: dict[str, Harness], what: Callable[[Harness], Any]) -> Iterator[Any]:
    """What comes of the same on either of them."""
    for engine, harness in both.items():
        with chosen(engine):
            yield what(harness)


@settings(max_examples=EXAMPLES, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=st.lists(st.sampled_from(STEPS), min_size=4, max_size=25))
def test_the_same_work_leaves_the_same_rows(folder: Path, steps: list[Callable[[Harness], Any]]) -> None:
    with ExitStack() as stack:
        both = {engine: stack.enter_context(made(folder, engine)) for engine in places.ENGINES}
        for step in (another_person, *steps):
            here, there = on_each(both, step)
            assert here == there
        with closing(sqlite3.connect(both["sqlite"].path)) as file:
            tables = [name for (name,) in file.execute(_TABLES) if name not in LEFT_OUT]
        assert len(tables) > 40
        here, there = on_each(both, lambda harness: dict(rows_of(harness, tables)))
        assert here == there
    places.forget_all()
