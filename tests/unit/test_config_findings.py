"""What a sound file is told of, and where in it whatever was found stands."""

from __future__ import annotations

from pathlib import Path

from syncd.config import place, unused
from syncd.contract.model import Finding, Level

from .test_config import GOOD, read

MORE = (
    "  - { name: more, crm: box, object: people, every: 1h, "
    "fields: { email: { providers: [owl] }, phone: { property: mobile, providers: [owl] } } }\n"
)


def test_c6_a_finding_of_a_crm_has_line_key_and_sync(tmp_path: Path) -> None:
    settings = read(tmp_path, GOOD + MORE)

    def where(selection: int | None, at: str = "") -> str:
        finding = Finding(level=Level.ERROR, what="x", selection=selection, at=at)
        return place(settings, "box", finding).removeprefix(f"{tmp_path}/")

    assert where(None) == "c.yaml:7: connections.box"
    assert where(0) == "c.yaml:11: syncs[0] (people)"
    assert where(0, "fields.phone.property") == "c.yaml:18: syncs[0].fields.phone.property (people)"
    assert where(0, "fields.email.property") == "c.yaml:17: syncs[0].fields.email.property (people)"
    assert where(1, "match") == "c.yaml:21: syncs[1].match (more)"
    assert place(settings, "callbacks", Finding(level=Level.ERROR, what="x")).endswith("c.yaml:2: callbacks")


def test_c7_a_connection_that_no_sync_uses_is_told(tmp_path: Path) -> None:
    assert unused(read(tmp_path, GOOD)) == []
    spare = '  spare: { connector: pigeon }\n  attic: { connector: cards, access_token: "${BOX}" }\nsyncs:\n'
    found = unused(read(tmp_path, GOOD.replace("syncs:\n", spare)))
    assert [(name, finding.level, finding.what) for name, finding in found] == [
        ("spare", Level.WARNING, "no sync uses it"),
        ("attic", Level.WARNING, "no sync uses it"),
    ]
    assert "may still owe answers" in found[0][1].cure
    assert found[1][1].cure == "Name it in a sync, or remove it."
