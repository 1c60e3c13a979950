"""For `syncd check`: where in the file a finding belongs, and what can be told of a file without asking anybody."""

from __future__ import annotations

from syncd.contract.model import Finding, Level

from .settings import Port, Settings


def place(settings: Settings, where: str, finding: Finding) -> str:
    """`config.yaml:17: syncs[0].fields.phone (people)`: what the operator wrote that a finding is about. `where` is the
    connection that was looked at, in the CRM's case with the selections of all its syncs, or a section."""
    if finding.selection is None:
        return settings.places.of(*(("connections", where) if where in settings.connections else (where,)))
    asked = [number for number, sync in enumerate(settings.syncs) if sync.crm == where]
    number = asked[finding.selection]
    at = settings.places.of("syncs", number, *filter(None, finding.at.split(".")))
    return f"{at} ({settings.syncs[number].name})"


def unused(settings: Settings) -> list[tuple[str, Finding]]:
    """Connections that no sync asks or writes to."""
    asked = {sync.crm for sync in settings.syncs}
    asked |= {name for sync in settings.syncs for field in sync.fields.values() for name in field.providers}
    found = []
    for name, connection in settings.connections.items():
        if name not in asked:
            keep = "keep it while it may still owe answers, else " if connection.port is Port.PROVIDER else ""
            cure = f"Name it in a sync, or {keep}remove it."
            found.append((name, Finding(level=Level.WARNING, what="no sync uses it", cure=cure, code="unused")))
    return found
