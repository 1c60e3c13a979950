"""Contacts as they were pulled, the cursors of the pulls, and the jobs that a plan makes of them."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from syncd.contract.model import OPT_OUTS, Contact, ContactRef, Field, Identity, Page
from syncd.contract.normal import tidy
from syncd.people import employers

from . import people
from .results import dump_identity, load_identity
from .store import Tx


@dataclass(frozen=True, slots=True, kw_only=True)
class Pulled:
    """A contact as the ledger keeps it: tidy, with what it lacks and what must not be filled."""

    id: int
    sync: str
    ref: ContactRef
    identity: Identity
    person: str | None
    lacks: frozenset[Field]
    blocked: Mapping[Field, str]  # the person's other records' opt-outs included


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """What the operator says of people. `own_domains`: nobody's employer. `by_person`: an opt-out is the person's."""

    own_domains: frozenset[str] = frozenset()
    by_person: bool = True


def start_run(tx: Tx, sync: str, *, now: float) -> int:
    """Note that a pull began; returns its id."""
    return tx.insert("run_start", sync=sync, now=now)


def store_page(
    tx: Tx, sync: str, run: int, page: Page, fields: Iterable[Field], *, now: float, rules: Rules = Rules()
) -> int:
    """Contacts and cursor in one transaction; a repeated page changes nothing. Returns how many."""
    wanted = tuple(fields)
    for contact in page.contacts:
        store(tx, sync, contact, wanted, now=now, rules=rules)
    tx.run("run_page", id=run, contacts=len(page.contacts), stale=page.stale)
    return len(page.contacts)


def end_run(tx: Tx, run: int, *, now: float, error: str = "") -> None:
    """Note how a pull ended."""
    tx.run("run_end", id=run, now=now, error=error)


def pulled(contact: Contact, sync: str, fields: Iterable[Field], *, rules: Rules = Rules()) -> Pulled:
    """A contact of the CRM in the ledger's terms."""
    return Pulled(
        id=0,
        sync=sync,
        ref=contact.ref,
        identity=_identity(contact, rules),
        person=None,
        lacks=frozenset(f for f in fields if not contact.values.get(f)),
        blocked=dict(contact.blocked),
    )


def _identity(contact: Contact, rules: Rules) -> Identity:
    """Tidy, with what the mapped properties hold: they are the person's, too."""
    identity = contact.identity
    mail, phone = contact.values.get(Field.EMAIL), contact.values.get(Field.PHONE)
    identity = tidy(
        replace(
            identity,
            email=identity.email or mail,
            emails=tuple(dict.fromkeys((*identity.emails, mail))) if mail and identity.email else identity.emails,
            phones=tuple(dict.fromkeys((*identity.phones, phone))) if phone else identity.phones,
        )
    )
    own = identity.domain is not None and employers.domain(identity.domain) in rules.own_domains
    return replace(identity, domain=None) if own else identity


def store(
    tx: Tx, sync: str, contact: Contact, fields: tuple[Field, ...], *, now: float, rules: Rules = Rules()
) -> None:
    """Insert or update one contact; it is recognised and planned anew only if something that matters changed."""
    known = pulled(contact, sync, fields, rules=rules)
    where = {"connection": contact.ref.connection, "object": contact.ref.object, "ext_id": contact.ref.id}
    before = tx.row("contact_by_ref", **where)
    identity = dump_identity(known.identity)
    opt_out = json.dumps({f: why for f, why in sorted(known.blocked.items()) if why in OPT_OUTS})
    contact_id: int = tx.value(
        "contact_store",
        **where,
        sync=sync,
        revision=contact.revision,
        identity=identity,
        lacks=json.dumps(sorted(known.lacks)),
        blocked=json.dumps(known.blocked, sort_keys=True),
        opt_out=opt_out,
        now=now,
    )
    if before is None or before["identity"] != identity or before["person"] is None or before["revision"] == "":
        former = None if before is None else load_identity(before["identity"])
        people.recognise(tx, contact_id, known.identity, former, now=now)
    if (before["opt_out"] if before else "{}") != opt_out:
        row = tx.row("contact_by_id", id=contact_id)
        tx.run("kin_replan", person=None if row is None else row["person"], id=contact_id)


def restate(tx: Tx, contact_id: int, identity: Identity, *, now: float) -> None:
    """Who a record is about now, as it was read just before a write; all that hangs on it is judged anew."""
    row = tx.row("contact_by_id", id=contact_id)
    if row is not None and row["identity"] != dump_identity(identity):
        tx.run("contact_restate", id=contact_id, identity=dump_identity(identity))
        people.recognise(tx, contact_id, identity, load_identity(row["identity"]), now=now)
