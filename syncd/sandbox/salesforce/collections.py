"""Many records in one call: POST and GET /composite/sobjects/{object} retrieve, PATCH /composite/sobjects updates.

Source: "sObject Collections". Results stand in the order of the request; a call in which every record is
refused is answered 200 all the same.
"""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from . import ids
from .calls import Answer, Call
from .reading import Reader, known_type
from .replies import Refusal, deleted
from .rows import worded
from .saving import Manner, Saver
from .schema import Field, Kind
from .store import Row

RETRIEVED, UPDATED, CHUNKS, REPEATS = 2_000, 200, 10, 12
_ROLLED_BACK = "Record rolled back because not all records were valid and the request was using AllOrNone header"


class Collections:
    """One org's records, many at a time."""

    def __init__(self, reader: Reader, saver: Saver) -> None:
        self.reader, self.saver, self.org = reader, saver, reader.org

    def post(self, call: Call) -> Answer:
        """Retrieve by a body of `ids` and `fields`."""
        body = call.body()
        return self._retrieve(call, body.get("ids"), body.get("fields"))

    def get(self, call: Call) -> Answer:
        """Retrieve by `?ids=…&fields=…`."""
        asked = (call.query.get(name, "").split(",") for name in ("ids", "fields"))
        return self._retrieve(call, *([one for one in listed if one] for listed in asked))

    def _retrieve(self, call: Call, wanted: Any, names: Any) -> Answer:
        kind = self.reader.kind(call.path["kind"])
        for name, given in (("ids", wanted), ("fields", names)):
            if not isinstance(given, list) or not given:
                raise Refusal("MISSING_ARGUMENT", f"The {name} parameter is required")
        if len(wanted) > RETRIEVED:
            text = f"record limit reached. cannot submit more than {RETRIEVED} records into this call"
            raise Refusal("EXCEEDED_ID_LIMIT", text)
        fields = [self._field(kind, str(name)) for name in names]
        table = self.org.store.tables[kind.name]
        rows = [table.rows.get(ids.parse(one) or "") for one in wanted]
        there = [None if row is None or row.deleted else row for row in rows]
        self.org.seen(row for row in there if row is not None)
        records = [None if row is None else worded(row, fields, call.version) for row in there]
        return Answer(body=records)

    def _field(self, kind: Kind, name: str) -> Field:
        found = self.org.schema.field(kind, name)
        if found is None:
            raise Refusal("INVALID_FIELD", f"No such column '{name}' on sobject of type {kind.name}")
        return found

    def patch(self, call: Call) -> Answer:
        """Update up to 200 records, each for itself unless `allOrNone`."""
        body, mark = call.body(), len(self.org.store.log)
        records = self._checked(body.get("records"))
        manner, seen = call.manner, Counter[str]()
        results = [self._update(record, manner, seen) for record in records]
        if body.get("allOrNone") is True and not all(one["success"] for one in results):
            self.org.store.undo(mark, call.session.user)
            results = [_rolled_back(one) if one["success"] else one for one in results]
        return Answer(body=results)

    def _checked(self, records: Any) -> Sequence[Mapping[str, Any]]:
        if not isinstance(records, list) or not records:
            raise Refusal("REQUIRED_FIELD_MISSING", "At least 1 record is required")
        if len(records) > UPDATED:
            text = f"record limit reached. cannot submit more than {UPDATED} records into this call"
            raise Refusal("EXCEEDED_ID_LIMIT", text)
        kinds = [one.get("attributes", {}).get("type") if isinstance(one, Mapping) else None for one in records]
        if not all(kinds):
            raise Refusal("INVALID_INPUT", "Include an object type.")
        if len(list(itertools.groupby(kinds))) > CHUNKS:
            text = f"Cannot have more than {CHUNKS} chunks in a single operation. Please rearrange the data."
            raise Refusal("INVALID_ARGUMENT", text)
        return records

    def _update(self, record: Mapping[str, Any], manner: Manner, seen: Counter[str]) -> dict[str, Any]:
        try:
            kind = known_type(self.reader, str(record["attributes"]["type"]))
            row = self._target(kind, record, seen)
            values = {name: value for name, value in record.items() if name.lower() not in {"attributes", "id"}}
            self.saver.update(kind, row, values, manner)
        except Refusal as refusal:
            return {"success": False, "errors": [refusal.entry()]}
        return {"id": row.id, "success": True, "errors": []}

    def _target(self, kind: Kind, record: Mapping[str, Any], seen: Counter[str]) -> Row:
        given = next((value for name, value in record.items() if name.lower() == "id"), None)
        if given is None:
            raise Refusal("MISSING_ARGUMENT", "Id not specified in an update call")
        row = self.saver.find(kind, given)
        if row is None:
            raise Refusal("INVALID_CROSS_REFERENCE_KEY", "invalid cross reference id")
        seen[row.id] += 1
        if seen[row.id] > REPEATS:
            text = (
                f"Maximum number of duplicate updates in one batch ({REPEATS} allowed). "
                f"Attempt to update Id more than once in this Api call: {row.id}"
            )
            raise Refusal("DUPLICATE_VALUE", text, 400, ["Id"])
        if row.deleted:
            raise deleted()
        return row


def _rolled_back(result: Mapping[str, Any]) -> dict[str, Any]:
    error = Refusal("ALL_OR_NONE_OPERATION_ROLLED_BACK", _ROLLED_BACK).entry()
    return {"id": result["id"], "success": False, "errors": [error]}
