"""What README.md says is true: its configuration is read, its commands are there and run in the order that it tells."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from syncd.cli import COMMANDS

from .rig import Vendors, assert_right, syncd

README = (Path(__file__).parents[2] / "README.md").read_text("utf-8")
KEYS: dict[str, Any] = {
    "SYNCD_CALLBACK_SECRET": "5a" * 32,
    "HUBSPOT_TOKEN": "pat-eu1-0",
    "ZELIQ_API_KEY": "z",
    "FULLENRICH_API_KEY": "f",
}


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
        for words in (["check"], ["plan"], ["run", "--once"]):
            done = syncd(*words, "-c", vendors.config, **keys)
            assert done.returncode == 0, (words, done.stdout[-2000:], done.stderr[-2000:])
        assert_right(vendors)


def test_its_configuration_is_read_as_it_stands(tmp_path: Path) -> None:
    (tmp_path / "config.yaml").write_text(smallest(), "utf-8")
    done = syncd("check", "-c", tmp_path / "config.yaml", **KEYS)
    assert done.returncode != 78, done.stdout + done.stderr


def test_it_links_to_what_is_there() -> None:
    root = Path(__file__).parents[2]
    links = re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", README)
    assert links
    assert [link for link in links if not (root / link).exists()] == []
