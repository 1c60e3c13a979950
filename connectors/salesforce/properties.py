"""The fields that tell of a value where it is from: whether our user may write them, and what an admin has to make.

Salesforce's API makes fields only for admins, and gives nobody access to them: that is said, not done.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from syncd.contract.model import Finding, Level, Told

from .records import Lens

_TYPES = {Told.AT: ({"datetime", "string"}, "Date/Time")}  # of fields as the API calls them, and as people do
_TEXT = ({"string", "textarea"}, "Text(255)")


def wrong(lens: Lens) -> Iterator[tuple[str, str, str]]:
    """What is told, why its field can't take it, and what to do."""
    for told, name in lens.selection.stamps.items():
        kinds, wanted = _TYPES.get(Told(told), _TEXT)
        definition = lens.catalogue.fields.get(name)
        field = f"{lens.type}.{name}"
        if definition is None:
            where = f"in Setup, Object Manager, {lens.type}, Fields & Relationships, make {name} ({wanted})"
            yield told, f"{field} is not there, or our user can't see it", f"{where}, with edit access for our user"
        elif definition.get("type") not in kinds:
            yield told, f"{field} is of type {definition.get('type')}", f"name another field in `provenance`: {wanted}"
        elif not lens.catalogue.writable(name):
            yield told, f"our user may not write {field}", "give its permission set edit access to the field"


def checkbox(lens: Lens) -> Iterator[Finding]:
    """Why nobody can want a record now by the field that is named for it."""
    name = lens.selection.request
    definition = lens.catalogue.fields.get(name)
    if name and (definition is None or definition.get("type") != "boolean" or not lens.catalogue.writable(name)):
        what = f"{lens.type}.{name} is no checkbox that our user may see and clear: nobody can tick it"
        cure = f"make {name}, a field of type Checkbox, with edit access for our user"
        yield Finding(level=Level.WARNING, what=what, cure=cure, at="request")


def explained(lens: Lens) -> list[Finding]:
    """One finding for each field: it is there, or what an admin has to do."""
    problems: Mapping[str, tuple[str, str]] = {told: (what, cure) for told, what, cure in wrong(lens)}
    boxes = list(checkbox(lens))
    if lens.selection.request and not boxes:
        boxes = [Finding(level=Level.OK, what=f"{lens.type}.{lens.selection.request} is there")]
    return boxes + [
        Finding(level=Level.WARNING, what=problems[told][0], cure=problems[told][1])
        if told in problems
        else Finding(level=Level.OK, what=f"{lens.type}.{name} is there")
        for told, name in lens.selection.stamps.items()
    ]
