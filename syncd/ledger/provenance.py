"""What of a contact stands in the CRM as we wrote it, and where each value is from."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from syncd.contract.jsontext import dump
from syncd.contract.model import Candidate, ContactRef, Field, Identity

from .results import load_candidates, load_identity
from .reviews import candidate_of
from .store import Tx


class Standing(NamedTuple):
    """A value of ours that stands, or is being written (`open`), and what its `provider` said of it; None where that is
    not kept any more. `at`: UTC seconds. `again`: what was found for it last, at `again_at`, since it was written."""

    job_id: int
    contact_id: int
    field: Field
    value: str
    provider: str
    said: Candidate | None
    identity: Identity
    run: int
    at: float
    open: bool
    again: Sequence[Candidate]
    again_at: float


def standing(tx: Tx, contacts: Iterable[int]) -> list[Standing]:
    """The values of these contacts that were written and not put back, and those whose write is intended."""
    return [
        Standing(
            job_id=row["job_id"],
            contact_id=row["contact_id"],
            field=Field(row["destination"] or row["field"]),
            value=row["after"],
            provider=row["provider"] or "",
            said=candidate_of(row["candidates"] or "[]", row["after"]),
            identity=load_identity(row["identity"]),
            run=row["run_id"],
            at=row["at"],
            open=row["state"] == "intent",
            again=load_candidates(row["again"] or "[]"),
            again_at=row["again_at"] or 0.0,
        )
        for row in tx.rows("values_standing", contacts=dump(sorted(set(contacts))))
    ]


def tell_again(tx: Tx, contacts: Iterable[int]) -> None:
    """A value of each of these was verified again: the CRM is to be told."""
    if ids := sorted(set(contacts)):
        tx.run("to_tell_again", ids=dump(ids))


def to_tell(tx: Tx, connection: str, object_: str, limit: int) -> dict[int, ContactRef]:
    """Whom the CRM is to be told of anew."""
    rows = tx.rows("to_tell", connection=connection, object=object_, limit=limit)
    return {row["id"]: ContactRef(connection=connection, object=object_, id=row["ext_id"]) for row in rows}


def told(tx: Tx, contacts: Iterable[int]) -> None:
    """The CRM was told."""
    tx.run("told", ids=dump(sorted(set(contacts))))
