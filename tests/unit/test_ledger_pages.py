"""A page of contacts stored in sets says what the same contacts say that are stored one by one."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from syncd.contract.model import Contact, ContactRef, Field, Identity, Page
from syncd.ledger import cases, contacts, decisions
from syncd.ledger.contacts import Rules
from syncd.ledger.results import load_identity
from syncd.ledger.states import JobState, Reason
from syncd.ledger.store import Ledger, NewJob, Tx
from syncd.people import groups
from syncd.people.groups import Record
from tests.places import place_of

from .audit import ask, audit

NOW = 1_790_000_000.0
FIELDS = (Field.EMAIL, Field.PHONE)
NO_RULES = Rules()
NAMES = [("Ada", "Stone"), ("Bea", "Brook"), ("Cleo", "Birch"), ("Ada", "Brook"), (None, None)]


def somebody(rng: random.Random, number: int) -> Contact:
    """One of few names, employers, profiles and mailboxes, so that many records touch one another."""
    first, last = rng.choice(NAMES)
    shared = rng.random() < 0.6
    who = rng.randrange(6) if shared else f"x{rng.randrange(10**6)}"
    identity = Identity(
        first_name=first,
        last_name=last if shared or last is None else f"{last}{'abcdefgh'[number % 8] * 3}",
        company=rng.choice([None, None, f"Acme {who}"]),
        domain=rng.choice([None, f"acme{who}.example"]),
        linkedin_url=rng.choice([None, None, f"https://www.linkedin.com/in/somebody-{who}"]),
        country=rng.choice([None, None, "GB", "FR"]),
    )
    values = {Field.EMAIL: f"box{who}@mail.example"} if rng.random() < 0.3 else {}
    blocked = {Field.PHONE: "opted_out"} if rng.random() < 0.15 else {}
    where = ContactRef(connection=rng.choice("hs") if number % 2 else "h", object="contacts", id=str(number))
    return Contact(ref=where, revision=str(rng.randrange(3)), identity=identity, values=values, blocked=blocked)


def store_together(tx: Tx, found: list[Contact], at: float) -> None:
    contacts.store_page(tx, "people", 1, Page(contacts=tuple(found), cursor={}), FIELDS, now=at)


def store_one_by_one(tx: Tx, found: list[Contact], at: float) -> None:
    for one in found:
        contacts.store(tx, "people", one, FIELDS, now=at)


def decide(tx: Tx, at: float) -> None:
    """Whatever is lacking is done for a reason that other evidence may change."""
    todo = cases.changed(tx, 1000, now=at)
    made = [
        NewJob(
            contact_id=one.contact_id,
            sync="people",
            field=one.field,
            person=one.person,
            state=JobState.DONE,
            reason=Reason.MISMATCH,
        )
        for one in cases.read(tx, todo, NO_RULES).cases
        if one.job is None
    ]
    decisions.make(tx, made, now=at)
    decisions.settle(tx, todo, now=at)


def rows_of(path: Path, sql: str) -> list[tuple[Any, ...]]:
    return ask(path, sql)


KEPT = (
    """SELECT id, connection, ext_id, revision, identity, person, lacks, blocked, opt_out, vague, namesakes,
    became_at, pulled_at FROM contact ORDER BY id""",
    "SELECT key, contact_id FROM person_key ORDER BY 1, 2",
    "SELECT contact_id, field, person FROM job ORDER BY contact_id, field",
)
EVIDENCE = "SELECT id, identity, person, vague, namesakes FROM contact"
LEFT_ALONE = "SELECT contact_id, field FROM job WHERE state = 'done'"


def kept(path: Path) -> list[list[tuple[Any, ...]]]:
    return [rows_of(path, sql) for sql in KEPT]


def evidence_of(path: Path) -> dict[int, tuple[Any, ...]]:
    return {id_: tuple(parts) for id_, *parts in rows_of(path, EVIDENCE)}


def grouped_at_once(path: Path) -> dict[int, str]:
    rows = rows_of(path, "SELECT id, connection, identity FROM contact ORDER BY id")
    grouping = groups.group([Record(id_, crm, load_identity(text)) for id_, crm, text in rows])
    return {id_: str(person) for id_, person in grouping.person.items()}


@pytest.fixture
def ledgers(tmp_path: Path) -> Iterator[tuple[Path, Path]]:
    paths = tmp_path / "together.db", tmp_path / "one_by_one.db"
    for path in paths:
        Ledger.open(place_of(path)).close()
    yield paths
    for path in paths:
        audit(path)


@pytest.mark.parametrize("seed", range(16))
def test_a_page_is_stored_as_its_contacts_one_by_one(ledgers: tuple[Path, Path], seed: int) -> None:
    rng = random.Random(seed)
    page = [somebody(rng, number) for number in range(24)]
    for turn in range(4):
        at = NOW + turn
        for path, store in zip(ledgers, (store_together, store_one_by_one), strict=True):
            before = evidence_of(path)
            Ledger.change(place_of(path), store, page, at)
            now = evidence_of(path)
            assert {id_: person for id_, (_, person, *_) in now.items()} == grouped_at_once(path)
            lacking = dict(rows_of(path, "SELECT id, lacks FROM contact"))
            done = [(id_, f) for id_, f in rows_of(path, LEFT_ALONE) if f in json.loads(lacking[id_])]
            planned = {id_ for (id_,) in rows_of(path, "SELECT id FROM contact WHERE planned = 1")}
            changed = {id_ for id_, known in now.items() if known != before.get(id_)}
            assert not changed & {id_ for id_, _ in done}, "what has changed is decided on anew"
            assert not {id_ for id_ in changed if now[id_][:2] != before.get(id_, ())[:2]} & planned
        assert kept(ledgers[0]) == kept(ledgers[1])
        for path in ledgers:
            Ledger.change(place_of(path), decide, at)
        page = [somebody(rng, number) if rng.random() < 0.3 else page[number] for number in range(len(page))]
        page += [somebody(rng, len(page) + more) for more in range(4)]


def one_page(path: Path, *found: Contact, rules: Rules = NO_RULES, fields: tuple[Field, ...] = FIELDS) -> None:
    def store(tx: Tx) -> None:
        contacts.store_page(tx, "people", 1, Page(contacts=found, cursor={}), fields, now=NOW, rules=rules)

    Ledger.change(place_of(path), store)


def ada(**parts: Any) -> Contact:
    known = {"identity": Identity(first_name="Ada", last_name="Stone", domain="acme.example"), "revision": "1", **parts}
    return Contact(ref=ContactRef(connection="h", object="contacts", id="1"), **known)


def planned(path: Path) -> list[int]:
    return [row[0] for row in rows_of(path, "SELECT planned FROM contact")]


@pytest.mark.parametrize(
    ("change", "anew"),
    [
        ({}, False),
        ({"revision": "2"}, True),
        ({"values": {Field.EMAIL: "ada@acme.example"}}, True),
        ({"values": {Field.PHONE: "+44 20 7946 0000"}}, True),
        ({"blocked": {Field.EMAIL: "cleared_by_person"}}, True),
        ({"identity": Identity(first_name="Ada", last_name="Stone", domain="acme.example", country="FR")}, True),
        ({"identity": Identity(first_name="Ada", last_name=" Stone ", domain="acme.example")}, False),
    ],
)
def test_only_what_the_crm_has_changed_is_decided_on_anew(
    ledgers: tuple[Path, Path], change: dict[str, Any], anew: bool
) -> None:
    path = ledgers[0]
    one_page(path, ada())
    Ledger.change(place_of(path), decide, NOW)
    assert planned(path) == [1]
    ((before,),) = rows_of(path, "SELECT revision FROM contact")
    one_page(path, ada(**change))
    assert planned(path) == [0 if anew else 1]
    ((revision, at),) = rows_of(path, "SELECT revision, pulled_at FROM contact")
    assert (revision != before, at) == ("revision" in change, NOW)


def test_a_contact_that_comes_twice_in_one_page_says_what_it_said_last(ledgers: tuple[Path, Path]) -> None:
    path = ledgers[0]
    first = ada(values={Field.EMAIL: "ada@acme.example"})
    one_page(path, first, ada(identity=Identity(first_name="Bea", last_name="Brook")))
    ((identity, lacks, became),) = rows_of(path, "SELECT identity, lacks, became_at FROM contact")
    assert (json.loads(identity), json.loads(lacks)) == (
        {"fn": "Bea", "ln": "Brook"},
        ["email", "phone"],
    )
    assert became == NOW


def test_a_new_rule_is_applied_to_contacts_that_did_not_change(ledgers: tuple[Path, Path]) -> None:
    path = ledgers[0]
    one_page(path, ada())
    one_page(path, ada(), rules=Rules(own_domains=frozenset({"acme.example"})))
    assert "acme" not in rows_of(path, "SELECT identity FROM contact")[0][0]
    one_page(path, ada(), fields=(Field.PHONE,))
    assert rows_of(path, "SELECT lacks FROM contact") == [('["email","phone"]',)], "of the others it says nothing"


def test_what_a_write_restated_is_stored_anew_by_the_next_pull(ledgers: tuple[Path, Path]) -> None:
    """The CRM says what it said before, the ledger holds what was read just before a write."""
    path = ledgers[0]
    one_page(path, ada())
    Ledger.change(place_of(path), contacts.restate, 1, Identity(first_name="Ada", last_name="Stone"), now=NOW)
    one_page(path, ada())
    assert "acme" in rows_of(path, "SELECT identity FROM contact")[0][0]


@pytest.mark.sqlite
def test_statements_do_not_grow_with_the_contacts_of_a_page(ledgers: tuple[Path, Path]) -> None:
    """Contacts that touch nobody, in a new page, an unchanged one and a changed one."""
    counts = []
    for path, size in zip(ledgers, (5, 150), strict=True):
        pages = [[apart(n, country) for n in range(size)] for country in ("GB", "GB", "FR")]
        counts.append([Ledger.change(place_of(path), statements, page) for page in pages])
    assert counts[0] == counts[1]


def apart(number: int, country: str) -> Contact:
    known = Identity(first_name="Ada", last_name=f"Stone{number}", domain=f"acme{number}.example", country=country)
    return Contact(ref=ContactRef(connection="h", object="contacts", id=str(number)), revision="1", identity=known)


def statements(tx: Tx, page: list[Contact]) -> int:
    counted = Counting(tx)
    contacts.store_page(counted, "people", 1, Page(contacts=tuple(page), cursor={}), FIELDS, now=NOW)
    return counted.n


class Counting(Tx):
    """A transaction that counts the calls; `many` is one."""

    def __init__(self, tx: Tx) -> None:
        super().__init__(tx._connection)
        self.n = 0

    def run(self, name: str, /, **values: Any) -> int:
        self.n += 1
        return super().run(name, **values)

    def many(self, name: str, rows: Any, /) -> int:
        self.n += 1
        return super().many(name, rows)

    def rows(self, name: str, /, **values: Any) -> Any:
        self.n += 1
        return super().rows(name, **values)

    def row(self, name: str, /, **values: Any) -> Any:
        self.n += 1
        return super().row(name, **values)
