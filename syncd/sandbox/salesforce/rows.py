"""Single records: GET, PATCH and DELETE /sobjects/{object}/{id}, conditional ones included.

What an update goes through is in `saving`.
"""

from __future__ import annotations

from typing import Any

from .calls import Answer, Call
from .query import word
from .reading import Reader
from .replies import Refusal, attributes, deleted, no_record
from .saving import Saver, moment
from .schema import Field, Kind
from .store import Row


class Rows:
    """One org's records, one at a time."""

    def __init__(self, reader: Reader, saver: Saver) -> None:
        self.reader, self.saver, self.org = reader, saver, reader.org

    def get(self, call: Call) -> Answer:
        """All visible fields, or those of `?fields=`. 304 with If-Modified-Since, 412 with If-Unmodified-Since."""
        kind, row = self._find(call)
        self.saver.check_unmodified(row, call.manner)
        since = moment(call.headers.get("if-modified-since"), "If-Modified-Since")
        if since is not None and row.values[self.saver.compares] <= since:
            return Answer(304)
        asked = [name.strip() for name in call.query.get("fields", "").split(",") if name.strip()]
        fields = [self._field(kind, name) for name in asked] or self.org.schema.visible(kind)
        self.org.seen([row])
        return Answer(body=worded(row, fields, call.version))

    def patch(self, call: Call) -> Answer:
        """204, or what stands against it."""
        kind, row = self._find(call)
        values = {name: value for name, value in call.body().items() if name != "attributes"}
        if any(name.lower() == "id" for name in values):
            raise Refusal("INVALID_FIELD", "The Id field should not be specified in the sobject data.", 400, ["Id"])
        self.saver.update(kind, row, values, call.manner)
        return Answer(204)

    def delete(self, call: Call) -> Answer:
        """Into the recycle bin."""
        _, row = self._find(call)
        self.saver.check_unmodified(row, call.manner)
        self.org.store.change(row, {"IsDeleted": True}, call.session.user, self.org.now())
        return Answer(204)

    def _find(self, call: Call) -> tuple[Kind, Row]:
        kind = self.reader.kind(call.path["kind"])
        row = self.saver.find(kind, call.path["id"])
        if row is None:
            raise no_record(call.path["id"])
        if row.deleted:
            raise deleted()
        return kind, row

    def _field(self, kind: Kind, name: str) -> Field:
        found = self.org.schema.field(kind, name)
        if found is None:
            raise Refusal("INVALID_FIELD", f"No such column '{name}' on sobject of type {kind.name}")
        return found


def worded(row: Row, fields: list[Field], version: str) -> dict[str, Any]:
    """A record as answers word it."""
    values = {one.name: word(one, row.values.get(one.name)) for one in fields}
    return {"attributes": attributes(row.kind, row.id, version), **values}
