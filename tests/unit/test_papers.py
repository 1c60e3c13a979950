"""The papers on keys and security: what they name is there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from syncd.registry import Registry

ROOT = Path(__file__).parents[2]
KEYS = (ROOT / "docs/keys.md").read_text("utf-8")
NAMED = [
    (paper, *named)
    for paper in ("docs/security/asvs.md", "docs/security/threat-model.md")
    for named in re.findall(r"`(tests/[\w/]+\.py)::(test_\w+)`", (ROOT / paper).read_text("utf-8"))
]


@pytest.mark.parametrize(("paper", "file", "test"), NAMED, ids=[f"{one[1]}::{one[2]}" for one in NAMED])
def test_each_test_that_a_paper_names_is_there(paper: str, file: str, test: str) -> None:
    assert re.search(rf"(?m)^(async )?def {test}\(", (ROOT / file).read_text("utf-8")), f"{paper} names {test}"


def test_each_line_of_the_list_names_a_test() -> None:
    rows = re.findall(r"(?m)^\| \d+\.\d+\.\d+ .*$", (ROOT / "docs/security/asvs.md").read_text("utf-8"))
    assert len(rows) > 30
    assert [row for row in rows if "::test_" not in row] == []


def test_s15_each_vendor_has_its_page_of_keys_and_rights() -> None:
    assert re.findall(r"(?m)^## (\w+)$", KEYS) == ["hubspot", "salesforce", "zeliq", "fullenrich"]
    registry = Registry()
    assert {registry.kind(name).capabilities.keys for name in registry.names()} == {
        f"docs/keys.md#{name}" for name in re.findall(r"(?m)^## (\w+)$", KEYS)
    }


def test_links_between_the_papers_lead_somewhere() -> None:
    for paper in ("SECURITY.md", "docs/security/threat-model.md"):
        for link in re.findall(r"\]\(([\w./-]+)\)", (ROOT / paper).read_text("utf-8")):
            assert ((ROOT / paper).parent / link).exists(), f"{paper}: {link}"
