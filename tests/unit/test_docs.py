"""The documentation's reference and list of errors are those of the code, and every error has its code."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from scripts import reference
from syncd import codes
from syncd.config import ConditionKind
from syncd.contract.errors import Trouble
from syncd.contract.model import Finding, Level
from syncd.pipeline.gate import REFUSALS, UNTRIED

ROOT = Path(__file__).parents[2]
PAGES = reference.pages()
ERRORS = (ROOT / codes.PAGE).read_text("utf-8")
SOURCES = "".join(
    path.read_text("utf-8") for path in (ROOT / "syncd").rglob("*.py") if path.name not in {"codes.py", "words.py"}
)


@pytest.mark.parametrize("name", PAGES)
def test_c25_the_reference_is_written_from_the_code(name: str) -> None:
    assert (reference.FOLDER / name).read_text("utf-8") == PAGES[name], "run: make docs-ref"


def test_c20_each_code_has_its_anchor_and_each_anchor_its_code() -> None:
    assert re.findall(r"(?m)^### (\S+)$", ERRORS) == list(codes.CODES)
    assert all(means.endswith(".") and cure.endswith((".", ")")) for means, cure in codes.CODES.values())


def test_c20_each_code_has_a_page_with_its_cure_and_no_page_is_left_of_another() -> None:
    folder = reference.FOLDER / "errors"
    assert {one.stem for one in folder.iterdir()} == set(codes.CODES)
    for code, one in codes.CODES.items():
        text = (folder / f"{code}.md").read_text("utf-8")
        assert f"# {code}\n\n{one.means}\n\n## What to do\n\n{one.cure}\n" in text


def test_c20_the_parts_of_the_list_share_no_code() -> None:
    parts = (codes.CONNECTIONS, codes.GATES, codes.CONDITIONS, codes.ENDINGS, codes.HOST)
    assert sum(map(len, parts)) == len(codes.CODES)


def of_findings() -> set[str]:
    """Codes of what connectors find, which need not know any."""
    error, advice = Finding(level=Level.ERROR, what=""), Finding(level=Level.WARNING, what="")
    selection = Finding(level=Level.ERROR, what="", selection=0, at="match")
    placed = Finding(level=Level.ERROR, what="", selection=0, at="fields.email.property")
    passing = Finding(level=Level.ERROR, what="", passing=True)
    return {codes.of_finding(one) for one in (error, advice, selection, placed, passing)}


def test_c20_every_source_of_errors_has_its_codes_and_no_code_is_without_source() -> None:
    given = {
        *map(codes.of_trouble, Trouble),
        *map(codes.of_watch, (*UNTRIED, REFUSALS)),
        *(
            kind.value.replace("_", "-")
            for kind in ConditionKind
            if kind not in {ConditionKind.HALTED, ConditionKind.GATE}
        ),
        *of_findings(),
        *(code for code in (*codes.ENDINGS, *codes.HOST) if f'"{code}"' in SOURCES or f"[{code}]" in SOURCES),
    }
    assert given == set(codes.CODES)


def test_c20_what_is_said_by_name_is_in_the_list() -> None:
    """Every code that a finding, or the end of a command, is given by hand."""
    given = re.findall(r'code="([\w-]+)"|, "([a-z]+(?:-[a-z]+)*)"\)$', SOURCES, flags=re.MULTILINE)
    named = {one or other for one, other in given} & {
        *codes.CODES,
        *re.findall(r'"(host-\w+|disk-\w+|ledger-\w+)"', SOURCES),
    }
    assert named <= set(codes.CODES)
    assert {"host-folder", "ledger-in-use", "unused"} <= named


def test_what_is_well_has_no_code() -> None:
    assert codes.of_finding(Finding(level=Level.OK, what="")) == ""
