"""What README.md says is true: its configuration is read, its commands are there and run in the order that it tells."""

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from syncd.cli import COMMANDS

from .rig import Vendors, assert_right, environment, syncd, until

README = (Path(__file__).parents[2] / "README.md").read_text("utf-8")
KEYS: dict[str, Any] = {
    "SYNCD_CALLBACK_SECRET": "5a" * 32,
    "HUBSPOT_TOKEN": "pat-eu1-0",
    "ZELIQ_API_KEY": "z",
    "FULLENRICH_API_KEY": "f",
}


RUN_BY = {  # each command that stands outside the table, and who runs it
    "make demo": "tests/system/test_demo.py: the command that it calls",
    "make test": ".ci/run",
    "make wheel": "tests/system/test_packaging.py",
    "make docs": "make test",
    "python3 -m venv /opt/syncd && /opt/syncd/bin/pip install dist/syncd-*.whl": "make smoke, part of make test",
    "syncd init": "tests/system/test_init.py",
    "syncd init --yes": "tests/system/test_init.py",
    "syncd check -c config.yaml": "test_the_first_five_minutes",
    "syncd plan -c config.yaml": "test_the_first_five_minutes",
    "syncd run -c config.yaml": "test_the_first_five_minutes",
    "syncd sandbox --speed 60 --write-config rehearsal.yaml": "test_a_configuration_is_rehearsed",
    "syncd demo --help": "test_a_command_takes_what_the_table_says",
}


def shown() -> list[str]:
    """The commands outside the table, in their order, but for those that are only named."""
    prose = re.sub(r"(?m)^\|.*$", "", README)
    blocks = re.findall(r"(?m)^\$ (.+?)(?:\s+#.*)?$", prose)
    inline = re.findall(r"`((?:syncd|make|python3) [^`\n]+)`", prose)
    named = {f"syncd {name}" for name in COMMANDS} - RUN_BY.keys() | {"syncd --debug …"}
    return [one for one in dict.fromkeys([*blocks, *inline]) if one not in named]


def named() -> dict[str, str]:
    """The commands of the table, by name, and each row."""
    rows = re.findall(r"^\| (`syncd .*?) \|", README, flags=re.MULTILINE)
    return {word: row for row in rows for word in re.findall(r"`(?:syncd )?([a-z-]+)", row) if word in COMMANDS}


def smallest() -> str:
    """The configuration of the first five minutes."""
    (block,) = re.findall(r"^   ```yaml\n(.*?)^   ```", README, flags=re.MULTILINE | re.DOTALL)
    return re.sub(r"^   ", "", block, flags=re.MULTILINE)


def test_every_command_is_in_the_table_and_no_other() -> None:
    assert named().keys() == set(COMMANDS)
    assert set(re.findall(r"`syncd ([a-z][a-z-]*)", README)) <= set(COMMANDS)


def test_every_command_that_it_shows_is_run_by_some_test() -> None:
    assert sorted(shown()) == sorted(RUN_BY)
    files = {told.partition(":")[0] for told in RUN_BY.values() if told.startswith("tests/")}
    assert [file for file in files if not (Path(__file__).parents[2] / file).exists()] == []
    assert [told for told in RUN_BY.values() if told.startswith("test_") and told not in globals()] == []


@pytest.mark.parametrize("command", sorted(named()))
def test_a_command_takes_what_the_table_says(command: str) -> None:
    told = syncd(command, "--help")
    assert told.returncode == 0
    row = next(line for line in README.splitlines() if line.startswith(f"| {named()[command]}"))
    options = set(re.findall(r"`(?:syncd [a-z-]+ )?(--[a-z-]+)", row))
    below = [word for word in re.findall(r"`([a-z-]+)`", row.split("|")[1]) if word not in COMMANDS]
    texts = [told.stdout, *(syncd(command, word, "--help").stdout for word in below)]
    assert all(any(option in text for text in texts) for option in options), options


def test_the_first_five_minutes(tmp_path: Path) -> None:
    """Its configuration, with the sandbox's addresses and keys, checked, planned and run."""
    with Vendors(tmp_path, seed=2) as vendors:
        sandbox = yaml.safe_load(vendors.config.read_text("utf-8"))
        written = yaml.safe_load(smallest())
        for name, one in written["connections"].items():
            one["base_url"] = sandbox["connections"][name]["base_url"]
        written["ledger"]["path"] = str(vendors.ledger)
        written.update({key: sandbox[key] for key in ("callbacks", "admin", "rehearsal")})
        written["callbacks"]["secrets"] = ["${SYNCD_CALLBACK_SECRET}"]
        vendors.config.write_text(yaml.safe_dump(written), "utf-8")
        keys: dict[str, Any] = {
            **KEYS,
            "HUBSPOT_TOKEN": sandbox["connections"]["hubspot"]["access_token"],
            "ZELIQ_API_KEY": sandbox["connections"]["zeliq"]["api_key"],
            "FULLENRICH_API_KEY": sandbox["connections"]["fullenrich"]["api_key"],
        }
        steps = [one.split()[1:] for one in shown() if one.endswith(" -c config.yaml")]
        assert [words[0] for words in steps] == ["check", "plan", "run"]
        for words in steps:
            once = ["--once"] if words[0] == "run" else []
            done = syncd(*words, *once, cwd=tmp_path, **keys)
            assert done.returncode == 0, (words, done.stdout[-2000:], done.stderr[-2000:])
        assert_right(vendors)


def test_a_configuration_is_rehearsed(tmp_path: Path) -> None:
    """What the sandbox writes is all that the commands need."""
    (command,) = (one for one in shown() if one.startswith("syncd sandbox"))
    words = command.split()[1:]
    with subprocess.Popen(
        [sys.executable, "-m", "syncd", *words], cwd=tmp_path, env=environment(), stdout=subprocess.DEVNULL
    ) as sandbox:
        try:
            until("its configuration", (tmp_path / words[-1]).exists)
            planned = syncd("plan", "-c", words[-1], cwd=tmp_path)
        finally:
            sandbox.terminate()
    assert planned.returncode == 0, planned.stdout + planned.stderr


def test_its_configuration_is_read_as_it_stands(tmp_path: Path) -> None:
    (tmp_path / "config.yaml").write_text(smallest(), "utf-8")
    done = syncd("check", "-c", tmp_path / "config.yaml", **KEYS)
    assert done.returncode != 78, done.stdout + done.stderr


def test_it_links_to_what_is_there() -> None:
    root = Path(__file__).parents[2]
    links = re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", README)
    assert links
    assert [link for link in links if not (root / link).exists()] == []
