"""What is installed on a host are the versions that were tested."""

import re
from pathlib import Path

import pytest

LOCKS = Path(__file__).parents[2] / "requirements"
PIN = re.compile(r"^([a-z0-9-]+)==(\S+)", re.MULTILINE)


def pins(name: str) -> set[tuple[str, str]]:
    """The packages of a lock, with their versions."""
    return set(PIN.findall((LOCKS / f"{name}.lock").read_text("utf-8")))


@pytest.mark.parametrize("name", ["runtime", "postgres", "build"])
def test_every_lock_has_the_versions_of_the_one_that_the_checks_run_with(name: str) -> None:
    assert pins(name)
    assert pins(name) - pins("dev") == set()
