"""What must be true of a far journey, from the world's side and from the ledger's.

I1 what was acknowledged is kept · I2 nobody is paid for twice · I3 a colleague's value stands · I4 all is ended ·
I5 only right values are written · I8 what is reserved and charged covers what was billed.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from decimal import Decimal
from pathlib import Path

from syncd.contract.model import Author, Field
from syncd.ledger import upkeep
from syncd.ledger.arrivals import unpacked
from syncd.ledger.store import Ledger, reading
from tests.unit.audit import ask, audit

from .far_world import COLLEAGUES, EMAIL, LATER, PEOPLE, PHONE, UNDONE, Memory, Vendor, calls, id_of

Jobs = dict[tuple[str, str], tuple[str, str]]
Stands = dict[tuple[str, str], str]

_JOBS = "SELECT ext_id, field, state, reason FROM job JOIN contact ON contact.id = contact_id"
_OPEN = "SELECT state FROM submission WHERE state IN ('intent', 'accepted', 'in_doubt')"
_WRITES = "SELECT id FROM write WHERE state = 'intent'"
_UNDOS = "SELECT write_id FROM undo WHERE state IN ('asked', 'intent')"


def judge(folder: Path, *, arrived: bool) -> None:
    """Raises AssertionError with what is not true. `arrived`: the journey has come to its end."""
    path, world = folder / "ledger.db", Memory(folder)
    Ledger.open(path).close()
    audit(path)
    with reading(path) as tx:
        assert list(upkeep.problems(path, tx)) == []
    _kept(path, world)
    _paid_once(world)
    _right_values(world)
    _covered(path, world, arrived=arrived)
    if arrived:
        _ended(path, world)


def _kept(path: Path, world: Memory) -> None:
    """I1."""
    kept = ask(path, "SELECT submission_id, body, text FROM delivery LEFT JOIN sample ON sample.id = sample_id")
    stored = {(submission, hashlib.sha256(unpacked(body, sample)).hexdigest()) for submission, body, sample in kept}
    lost = {(fact["id"], fact["digest"]) for fact in world.happened("acknowledged")} - stored
    assert not lost, f"acknowledged, and lost: {lost}"


def _paid_once(world: Memory) -> None:
    """I2: per contact, and per person, whatever the policy: each call that is carried out is answered here."""
    bought = Counter(
        (name, PEOPLE[request.ref.id].handle or request.ref.id, field)
        for name, call in calls(world)
        for request in call.requests
        for field in request.fields
    )
    twice = [what for what, times in bought.items() if times > 1]
    assert not twice, f"paid twice: {twice}"


def _right_values(world: Memory) -> None:
    """I5, and I3: ours are the truth, or a colleague's value that is put back; hers stands in the end."""
    history: dict[tuple[str, str], list[tuple[str, str]]] = {}
    for fact in world.happened("edit"):
        history.setdefault((fact["contact"], fact["name"]), []).append((fact["by"], fact["value"]))
    for (contact, name), edits in history.items():
        theirs = [value for by, value in edits if by == Author.PERSON]
        right = {PEOPLE[contact].truth[Field(name)], *theirs, *([""] if PEOPLE[contact].name in UNDONE else [])}
        wrong = [value for by, value in edits if by == Author.MACHINE and value not in right]
        assert not wrong, f"{contact} {name} was given {wrong}"


def _covered(path: Path, world: Memory, *, arrived: bool) -> None:
    """I8, of each call that was carried out: the ledger knows it, and has set enough aside for it."""
    ledger = {row[0]: row[1:] for row in ask(path, "SELECT id, state, reserved_mc, charged_mc FROM submission")}
    vendors = {name: Vendor(world, name, bulk=name == "bob") for name in ("ann", "bob")}
    adopted = {call.id for _, call in calls(world) if call.requests[0].ref.id == id_of("Max")} - ledger.keys()
    for name, call in calls(world):
        if call.id in adopted and not arrived:
            continue  # the copy did not know it
        assert call.id in ledger, f"{name} was asked in {call.id}, of which the ledger knows nothing"
        state, reserved, charged = ledger[call.id]
        billed = _bill(vendors[name], call.id, world)
        assert (charged or 0) + reserved >= billed, f"{call.id}: {billed} billed, {charged} and {reserved} set aside"
        if state == "settled":
            assert charged == billed, f"{call.id}: {billed} billed, {charged} settled"


def _bill(vendor: Vendor, call: str, world: Memory) -> int:
    """In thousandths of a credit."""
    asked = next(one for _, one in calls(world) if one.id == call)
    found = [field for one in asked.requests for field in one.fields if (one.ref.id, field) in vendor.finds]
    return int(1000 * sum((vendor.capabilities.price[field] for field in found), Decimal(0)))


def _ended(path: Path, world: Memory) -> None:
    """I4; and whatever was bought and found has come to stand, but where a colleague was quicker."""
    assert ask(path, _OPEN) == [], "no call is open"
    assert ask(path, _WRITES) == [], "no write is open"
    assert ask(path, _UNDOS) == [], "no undo is open"
    jobs = {(contact, field): (state, reason) for contact, field, state, reason in ask(path, _JOBS)}
    lacking = {
        (contact, field) for contact, one in PEOPLE.items() for field in (EMAIL, PHONE) if field not in one.typed
    }
    assert jobs.keys() == lacking
    assert {state for state, _ in jobs.values()} == {"done"}
    stands = {(fact["contact"], fact["name"]): fact["value"] for fact in world.happened("edit")}
    _colleagues_kept(world, jobs, stands)
    assert (stands[id_of("Val"), "email"], jobs[id_of("Val"), EMAIL]) == ("", ("done", "undone"))
    assert stands[id_of("Wim"), "email"] == LATER, "what he has written since stands"
    for _, call in calls(world):
        for request in call.requests:
            for field in request.fields:
                _come_to_something(request.ref.id, field, jobs, stands)


def _colleagues_kept(world: Memory, jobs: Jobs, stands: Stands) -> None:
    """I3."""
    typed = {(fact["contact"], fact["value"]) for fact in world.happened("edit") if fact["by"] == Author.PERSON}
    for name, value in COLLEAGUES.items():
        if (id_of(name), value) in typed:
            assert stands[id_of(name), "email"] == value, f"{name}'s own value stands"
            asked = any(
                one.ref.id == id_of(name) and EMAIL in one.fields for _, call in calls(world) for one in call.requests
            )
            # Who was seen to have a value before anybody was asked is not asked about.
            assert jobs[id_of(name), EMAIL] == ("done", "human_value_kept" if asked else "cancelled")


def _come_to_something(contact: str, field: Field, jobs: Jobs, stands: Stands) -> None:
    """What was bought and found stands at that person, who may be two contacts."""
    person = PEOPLE[contact]
    if person.unknown or person.name in COLLEAGUES or person.name in UNDONE:
        return
    places = [place for place, one in PEOPLE.items() if one.name == person.name]
    assert person.truth[field] in {stands.get((place, field)) for place in places}, f"{person.name}'s {field}"
    assert "written" in {jobs[place, field][1] for place in places}
