"""The commands in the docs are run as they stand there, block by block, each on a ledger with somebody in it."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.unit.harness import PHONE, Harness

ROOT = Path(__file__).parents[2]
CONFIG = """\
ledger: { path: ledger.db }
callbacks: { public_url: "https://enrich.example.com", secrets: ["a secret of many letters, at least 32"] }
connections:
  crm: { connector: hubspot, access_token: a-token-of-this-test }
  ann: { connector: zeliq, api_key: a-key-of-this-test }
syncs: [{ name: people, crm: crm, object: contacts, every: 15m, fields: { phone: { providers: [ann] } } }]
"""


ELSEWHERE = {  # pages whose commands are run by others
    "docs/first-batch.md": "tests/system/test_first_batch.py",
    "docs/guides/run.md": "make boot",
    "docs/guides/many-hosts.md": "tests/many/test_hosts.py, with the programs and files that are named there",
    "docs/guides/add-a-provider.md": "the tests of examples/",
}


def blocks() -> dict[str, list[str]]:
    """The commands of each block, by page and number."""
    found = {}
    for page in sorted((ROOT / "docs").rglob("*.md")):
        name = str(page.relative_to(ROOT))
        written = re.findall(r"(?ms)^```console\n(.*?)^```$", page.read_text("utf-8"))
        for number, text in enumerate(written if name not in ELSEWHERE else (), 1):
            found[f"{name}-{number}"] = re.findall(r"(?m)^\$ (.+)$", text)
    return found


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """With a configuration, a ledger, a list of people to leave alone, and `syncd` to be called."""
    with Harness(tmp_path, fields={PHONE: ["ann"]}) as harness:
        harness.person("Ada", email="ada@example.com")
        harness.ask()
    (tmp_path / "config.yaml").write_text(CONFIG, "utf-8")
    (tmp_path / "optouts.csv").write_text("email\nbo@example.com\n", "utf-8")
    program = tmp_path / "bin" / "syncd"
    program.parent.mkdir()
    program.write_text(f'#!/bin/sh\nPYTHONPATH={ROOT} exec {sys.executable} -m syncd "$@"\n', "utf-8")
    program.chmod(0o755)
    return tmp_path


@pytest.mark.parametrize("block", blocks())
def test_c25_the_commands_of_a_page_can_be_pasted(block: str, folder: Path) -> None:
    given = {"PATH": f"{folder / 'bin'}:{os.environ['PATH']}"}
    assert blocks()[block]
    for command in blocks()[block]:
        line = ["sh", "-c", command]
        done = subprocess.run(line, cwd=folder, env=given, capture_output=True, text=True, check=False, timeout=60)
        assert done.returncode == 0, (command, done.stdout, done.stderr)
