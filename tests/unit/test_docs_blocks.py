"""The configurations in the docs are read as they stand; their commands: tests/system/test_docs_commands.py."""

from __future__ import annotations

import re
from collections.abc import Iterator
from importlib.metadata import EntryPoint
from pathlib import Path

import pytest

from syncd.config import load
from syncd.registry import ENTRY_POINTS, Registry

DOCS = Path(__file__).parents[2] / "docs"
ALMANAC = EntryPoint("almanac", "almanac", ENTRY_POINTS)  # as examples/provider/pyproject.toml has it
ENVIRONMENT = {
    "SYNCD_CALLBACK_SECRET": "5a" * 32,
    "SYNCD_ALERT_URL": "json://localhost/alerts",
    **dict.fromkeys(("HUBSPOT_TOKEN", "ZELIQ_API_KEY", "FULLENRICH_API_KEY", "ALMANAC_API_KEY"), "a-made-up-key"),
}


def configurations() -> Iterator[tuple[str, str]]:
    """Each whole configuration, with its page. What has no syncs is a part of one."""
    for page in sorted(DOCS.rglob("*.md")):
        for text in re.findall(r"(?ms)^```yaml\n(.*?)^```$", page.read_text("utf-8")):
            if "syncs:" in text:
                yield str(page.relative_to(DOCS)), text


CONFIGURATIONS = list(configurations())


@pytest.mark.parametrize(("page", "text"), CONFIGURATIONS, ids=[page for page, _ in CONFIGURATIONS])
def test_c25_each_configuration_is_read(page: str, text: str, tmp_path: Path) -> None:
    for name in re.findall(r"credential: ([\w-]+)", text):
        (tmp_path / name).write_text("5a" * 32, "utf-8")
        (tmp_path / name).chmod(0o600)
    config = tmp_path / "config.yaml"
    config.write_text(text, "utf-8")
    environ = {**ENVIRONMENT, "CREDENTIALS_DIRECTORY": str(tmp_path)}
    settings = load(config, environ, registry=Registry(entry_points=[ALMANAC]))
    assert settings.syncs
    assert settings.warnings == ()


def test_the_example_is_found_by_its_entry_point() -> None:
    project = (DOCS.parent / "examples/provider/pyproject.toml").read_text("utf-8")
    assert f'[project.entry-points."{ENTRY_POINTS}"]\nalmanac = "almanac"' in project
    registry = Registry(entry_points=[ALMANAC])
    assert "almanac" in registry.names()
    assert registry.kind("almanac").capabilities.title == "Almanac"


def test_each_file_that_a_page_shows_is_there() -> None:
    shown = [
        name for page in DOCS.rglob("*.md") for name in re.findall(r'(?m)^--8<-- "(.+)"$', page.read_text("utf-8"))
    ]
    assert len(shown) == 3
    assert all((DOCS.parent / name).is_file() for name in shown)
