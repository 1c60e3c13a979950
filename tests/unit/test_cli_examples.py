"""Each command's help has an example, and each is taken: its words parse, and where it is harmless it is run."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from syncd.cli import COMMANDS, app, failing, registered
from syncd.ledger.store import Ledger

# They stay, ask, or reach out of a folder; the system tests run each of them.
ONLY_PARSED = {"init", "demo", "sandbox", "run", "restore", "doctor", "completion"}
CONFIG = """\
ledger: {{ path: ledger.db }}
connections:
  hubspot-eu: {{ connector: hubspot, access_token: "${{HUBSPOT_TOKEN}}", base_url: "http://127.0.0.1:9" }}
  crm: {{ connector: hubspot, access_token: "${{HUBSPOT_TOKEN}}", base_url: "http://127.0.0.1:9" }}
  finder: {{ connector: fullenrich, api_key: "${{KEY}}", base_url: "http://127.0.0.1:9" }}
  my-provider: {{ connector: fullenrich, api_key: "${{KEY}}", base_url: "http://127.0.0.1:9" }}
admin: {{ listen: "127.0.0.1:0" }}
alerts: [{{ to: "json://127.0.0.1:9" }}]
syncs:
{syncs}"""
SYNC = """\
  - name: {name}
    crm: {crm}
    object: contacts
    every: 15m
    fields: {{ email: {{ providers: [finder] }} }}
"""


def leaves(name: str, command: Any) -> Iterator[tuple[str, Any]]:
    """The commands that do something, each with all of its words."""
    parts = getattr(command, "commands", None)
    if parts is None:
        yield name, command
    for word, part in (parts or {}).items():
        yield from leaves(f"{name} {word}", part)


ALL = dict(found for name, (module, _) in COMMANDS.items() for found in leaves(name, registered(module)[name]))
EXAMPLES = [
    (name, line) for name, command in ALL.items() for line in re.findall(r"(?m)^  syncd (.*)$", command.help or "")
]


def words_of(line: str) -> list[str]:
    """What a shell would pass on: without a remark, and without where the output goes."""
    line = re.split(r" {3,}| > ", line)[0].replace("$(date +%F)", "2026-11-27").replace("/backup/", "")
    return shlex.split(line)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """What the examples speak of: a configuration and a ledger in which nothing has happened yet."""
    syncs = "".join(SYNC.format(name=name, crm=crm) for name, crm in (("people", "hubspot-eu"), ("leads", "crm")))
    (tmp_path / "config.yaml").write_text(CONFIG.format(syncs=syncs), "utf-8")
    (tmp_path / "optouts.csv").write_text("email,Work Email\nada@example.com,ada@example.com\n", "utf-8")
    Ledger.open(tmp_path / "ledger.db").close()
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("SYNCD_CONFIG", raising=False)
    for name in ("HUBSPOT_TOKEN", "KEY"):
        monkeypatch.setenv(name, "a-key-that-opens-nothing")
    return tmp_path


def test_every_command_has_an_example() -> None:
    assert sorted(ALL.keys() - {name for name, _ in EXAMPLES}) == []


@pytest.mark.parametrize(("name", "line"), EXAMPLES, ids=[line for _, line in EXAMPLES])
def test_an_example_is_taken(folder: Path, capsys: pytest.CaptureFixture[str], name: str, line: str) -> None:
    words = words_of(line)
    assert words[: len(name.split())] == name.split()
    if name in ONLY_PARSED or "--watch" in words:
        ALL[name].make_context(name, words[len(name.split()) :])
        return
    words = [str(folder / "config.yaml") if word.startswith("/etc/") else word for word in words]
    code = failing.outcome(lambda: app(words, prog_name="syncd"), debug=True)
    understood = code in (0, failing.FAILED, failing.LATER)
    assert understood or "no balance is known of a connection called finder" in capsys.readouterr().err
