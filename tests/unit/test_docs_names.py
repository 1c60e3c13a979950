"""What the documents name is there: commands with their options, targets of make, addresses, metrics, files."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from syncd.cli import COMMANDS, registered
from syncd.observe.metrics import METRICS
from syncd.web.acts import ACTS
from syncd.web.lists import LISTS

ROOT = Path(__file__).parents[2]
WHERE = ("*.md", "*/README.md", "docs/**/*.md")
DOCUMENTS = sorted(
    path.relative_to(ROOT).as_posix()
    for path in (ROOT / "config.example.yaml", *(one for where in WHERE for one in ROOT.glob(where)))
    if not path.is_symlink()
)
OF_ALL = {"--help", "--debug", "--version"}
API = {"status", "words", "report", "enrich", "reviews/accept", "…", *LISTS, *ACTS}
CODE = {".py", ".sql", ".service", ".socket", ".conf"}
MADE = {"config.yaml", ".cache/soak.json"}  # by the reader, or by a command


@cache
def text(document: str) -> str:
    """A document; of the changelog, what is not released yet."""
    whole = (ROOT / document).read_text("utf-8")
    return whole.split("\n## ")[1] if document == "CHANGELOG.md" else whole


def named(pattern: str) -> Iterator[tuple[str, str]]:
    """Each document, and what stands in it between backticks, or in a line of a console, like this."""
    for document in DOCUMENTS:
        whole = text(document).replace("\\|", "|")
        inline = re.findall(r"`([^`\n]+)`", whole)
        typed = re.findall(r"(?m)^[$#] (.+?)(?:\s+# .*)?$", "".join(re.findall(r"(?ms)^```console\n(.*?)^```", whole)))
        for one in [*inline, *typed]:
            if re.match(pattern, one):
                yield document, one


def below(words: list[str]) -> list[Any]:
    """The commands that some words name: `review list | show` names two, `review` itself all of its."""
    command = registered(COMMANDS[words[0]][0])[words[0]]
    known = getattr(command, "commands", None)
    if known is None:
        return [command]
    meant = [one for word in words[1:] for one in word.split("|") if one and not one.startswith("-")]
    chosen = [known[one] for one in meant if one in known]
    assert chosen or not meant or not meant[0].islower(), f"{words[0]} has no {meant[0]}"
    return [command, *(chosen or known.values())]


COMMANDS_NAMED = sorted({one.removeprefix("sudo ") for _, one in named(r"(?:sudo )?syncd ")})


@pytest.mark.parametrize("command", COMMANDS_NAMED)
def test_each_command_is_there_with_its_options(command: str) -> None:
    alone = re.split(r" > | \$\(", command)[0]
    options = set(re.findall(r"(?<=\s)--[a-z-]+", alone)) - OF_ALL
    words = [word for word in alone.split()[1:] if word[0] not in "-|"]
    if not words or words[0] in {"COMMAND", "…"}:
        return
    assert words[0] in COMMANDS
    known = {option for one in below(words) for parameter in one.params for option in parameter.opts}
    assert options <= known, command


def test_each_target_of_make_is_there() -> None:
    targets = set(re.findall(r"(?m)^([a-z-]+):", (ROOT / "Makefile").read_text("utf-8")))
    found = {(document, one.split()[1]) for document, one in named(r"make [a-z]")}
    assert {name for _, name in found} > {"demo", "test", "boot"}
    assert [one for one in found if one[1] not in targets] == []


def test_each_address_of_the_api_is_there() -> None:
    found = {
        (document, re.split(r"[?`]", one.partition("/api/")[2])[0]) for document, one in named(r"(?:GET |POST )?/api/")
    }
    assert {name for _, name in found} > {"status", "undo"}
    assert [one for one in found if one[1] not in API] == []


def test_each_metric_is_there() -> None:
    known = {one.name for one in METRICS}
    found = {(document, re.split(r"[{ ]", one)[0]) for document, one in named(r"syncd_[a-z_]+(?:\{.*)?$")}
    of_crm = {"syncd_source", "syncd_at", "syncd_status", "syncd_run", "syncd_request"}
    assert {name for _, name in found} > {"syncd_condition", "syncd_reviews_waiting"}
    assert [one for one in found if one[1] not in known | of_crm] == []


def test_each_file_is_there() -> None:
    files = [path.relative_to(ROOT).as_posix() for path in ROOT.rglob("*") if ".cache" not in path.parts]
    found = set(named(r"[\w.-]+(?:/[\w.-]+)*\.(?:py|md|sql|yaml|yml|conf|json|service|timer|socket|svg)$"))
    assert len(found) > 100
    missing = [one for one in found if not any(f"/{file}".endswith(f"/{one[1]}") for file in [*files, *MADE])]
    assert sorted(missing) == []


def test_each_name_of_the_code_is_there() -> None:
    """Of `policy.decide` the last part: a function, a table, a key, an index, whatever has this name."""
    folders = ("syncd", "connectors", "deploy", "tests", "benchmarks", "scripts")
    sources = (path for folder in folders for path in (ROOT / folder).rglob("*.*") if path.suffix in CODE)
    known = set(re.findall(r"\w+", " ".join(path.read_text("utf-8") for path in sources)))
    inline = re.findall(
        r"`([a-z_]+(?:\.[A-Za-z_]+)+|[a-z]+(?:_[a-z]+)+)`", text("ARCHITECTURE.md") + text("connectors/README.md")
    )
    names = {one.rpartition(".")[2] for one in inline} - {"py", "md", "sql"}
    assert len(names) > 50
    assert sorted(names - known) == []


def test_each_part_of_the_program_stands_in_the_layers() -> None:
    parts = {path.stem for path in (ROOT / "syncd").iterdir() if path.name[0] not in "_." and path.name != "py.typed"}
    named = set(
        re.findall(r"(?m)\bsyncd/(\w+)", text("ARCHITECTURE.md").partition("## Layers")[2].partition("\n## ")[0])
    )
    assert sorted(parts - named) == []
