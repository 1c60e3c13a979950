"""What of a contact stands in the CRM as we wrote it, and where each value is from."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import NamedTuple

from syncd.contract.model import Candidate, Field, Identity

from .results import load_identity
from .reviews import candidate_of
from .store import Tx


class Standing(NamedTuple):
    """A value of ours that stands, or is being written (`open`), and what its `provider` said of it; None where that is
    not kept any more. `at`: UTC seconds."""

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
        )
        for row in tx.rows("values_standing", contacts=json.dumps(sorted(set(contacts))))
    ]
