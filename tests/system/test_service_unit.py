"""deploy/syncd.service, as systemd itself judges it."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

UNIT = Path(__file__).parents[2] / "deploy" / "syncd.service"

pytestmark = pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="needs systemd's own tools")


def analyze(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["systemd-analyze", *arguments, str(UNIT)], capture_output=True, text=True, check=False)


def test_its_exposure_is_at_most_that_of_any_client_of_the_internet() -> None:
    judged = analyze("security", "--offline=true", "--threshold=11")
    assert judged.returncode == 0, judged.stdout


def test_systemd_understands_every_line() -> None:
    complaints = analyze("verify").stderr.splitlines()
    assert [text for text in complaints if not re.search(r"/opt/syncd/\S+ is not executable", text)] == []
