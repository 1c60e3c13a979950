"""deploy/: what a page, a script or a file there says is true, as far as it can be told without a container."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.boot.readme import PAGE, sections

ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / "deploy"
UNITS = [DEPLOY / name for name in ("syncd.service", "syncd.socket", "syncd-backup.service", "syncd-backup.timer")]


def read(name: str) -> dict[str, list[str]]:
    """A unit: each setting with its values."""
    found: dict[str, list[str]] = {}
    for line in (DEPLOY / name).read_text().splitlines():
        if "=" in line and not line.startswith(("#", "[")):
            key, _, value = line.partition("=")
            found.setdefault(key, []).append(value)
    return found


# --- the units --------------------------------------------------------------------------------


def test_the_service_is_ready_when_it_says_so_and_is_watched() -> None:
    service = read("syncd.service")
    assert (service["Type"], service["NotifyAccess"]) == (["notify"], ["main"])
    assert int(service["WatchdogSec"][0].rstrip("s")) + int(service["TimeoutAbortSec"][0].rstrip("s")) <= 30
    assert service["SyslogIdentifier"] == ["syncd"]


def test_s3_neither_starts_nor_triggers_have_a_limit_that_would_close_the_port() -> None:
    assert read("syncd.service")["StartLimitIntervalSec"] == ["0"]
    assert read("syncd.socket")["TriggerLimitIntervalSec"] == ["0"]


def test_a_person_is_needed_after_the_same_codes_everywhere() -> None:
    service = read("syncd.service")
    codes = service["RestartPreventExitStatus"][0].split()
    assert codes == ["2", "65", "70", "77", "78"]
    assert "|".join(codes) in service["ExecStopPost"][0]


def test_nothing_is_called_that_a_bare_debian_lacks() -> None:
    for unit in UNITS:
        for command in re.findall(r"^Exec(?!Paths)\w*=(\S+)", unit.read_text(), re.MULTILINE):
            assert command in {"/bin/sh", "/opt/syncd/current/bin/python"}, command


def test_the_socket_and_the_files_name_the_same_port() -> None:
    listens = yaml.safe_load((ROOT / "config.example.yaml").read_text())["callbacks"]["listen"]
    assert read("syncd.socket")["ListenStream"] == [listens]
    for name in ("nginx.conf", "Caddyfile"):
        assert listens in (DEPLOY / name).read_text()


def test_every_unit_that_the_script_installs_is_there() -> None:
    script = (DEPLOY / "install").read_text()
    named = re.findall(r"\$here\"?/([\w-]+\.(?:service|socket|timer|conf))", script)
    assert len(named) >= 5
    for name in named:
        assert (DEPLOY / name).exists(), name


# --- the page ---------------------------------------------------------------------------------


def test_each_command_of_the_page_is_run_by_make_boot() -> None:
    followed = set(re.findall(r'(?:follow|readme)[\(\[]"([^"]+)"', (ROOT / "tests/boot/__main__.py").read_text()))
    assert set(sections()) == followed


def test_each_file_that_the_page_names_is_there() -> None:
    for name in re.findall(r"`([\w.-]+\.(?:conf|yml|yaml|service|timer|socket)|Caddyfile)`", PAGE.read_text()):
        assert (DEPLOY / name).exists() or name in {"config.yaml"} or (ROOT / name).exists(), name


def test_the_script_is_a_shell_script_and_says_how_it_is_called() -> None:
    for script in (DEPLOY / "install", ROOT / "scripts" / "release"):
        assert subprocess.run(["sh", "-n", script], check=False).returncode == 0
        assert os.access(script, os.X_OK)
        if shutil.which("shellcheck"):
            assert subprocess.run(["shellcheck", script], check=False).returncode == 0
    told = subprocess.run([DEPLOY / "install", "--what"], capture_output=True, text=True, check=False)
    assert told.returncode == 2
    assert "--rollback" in told.stderr


# --- containers -------------------------------------------------------------------------------


def test_the_image_is_nobodys_and_has_a_health_check() -> None:
    lines = (ROOT / "Dockerfile").read_text().replace("\\\n", " ").splitlines()
    words = [line.split(None, 1) for line in lines if line and not line.startswith("#")]
    last = words[max(i for i, (name, *_) in enumerate(words) if name == "FROM") :]
    told = {name: rest[0] for name, *rest in last if rest}
    assert told["USER"] == "10001:10001"
    assert "healthz" in told["HEALTHCHECK"]
    assert "--require-hashes" in "".join(lines)
    for name, *rest in words:
        if name == "COPY" and not rest[0].startswith("--from"):
            assert all((ROOT / source).exists() for source in rest[0].split()[:-1]), rest


def test_the_composition_is_shut_in() -> None:
    told: dict[str, Any] = yaml.safe_load((DEPLOY / "compose.yaml").read_text())
    for service in told["services"].values():
        assert service["read_only"] is True
        assert service["cap_drop"] == ["ALL"]
        assert service["security_opt"] == ["no-new-privileges:true"]
    syncd = told["services"]["syncd"]
    assert syncd["user"] == "10001:10001"
    assert "ports" not in syncd
    assert set(syncd["secrets"]) == set(told["secrets"])


# --- packages ---------------------------------------------------------------------------------


@pytest.mark.timeout(120)
def test_uv_installs_the_wheel_as_a_tool_with_the_sandbox_in_it(tmp_path: Path) -> None:
    wheels, uv = ROOT / ".cache" / "wheels", Path(sys.executable).with_name("uv")
    if not wheels.is_dir() or not uv.exists():
        pytest.skip("needs the packages that `make install` has fetched, and uv")
    source = tmp_path / "source"
    kept = {"syncd", "connectors", "docs", "pyproject.toml", "README.md", "LICENSE"}
    shutil.copytree(ROOT, source, ignore=lambda at, names: {*names} - kept if Path(at) == ROOT else {"__pycache__"})
    build = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(tmp_path), str(source)]
    subprocess.run(build, check=True, capture_output=True)
    given = {
        "PATH": os.environ["PATH"],
        "HOME": str(tmp_path),
        "UV_TOOL_DIR": str(tmp_path / "tools"),
        "UV_TOOL_BIN_DIR": str(tmp_path / "bin"),
        "UV_CACHE_DIR": str(tmp_path / "cache"),
    }
    install: list[str | Path] = [
        uv,
        "tool",
        "install",
        "--offline",
        "--no-index",
        "--find-links",
        wheels,
        "--python",
        sys.executable,
    ]
    done = subprocess.run(
        [*install, next(tmp_path.glob("*.whl"))], env=given, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    for command in (["--version"], ["sandbox", "--help"]):
        assert subprocess.run([tmp_path / "bin" / "syncd", *command], env=given, check=False).returncode == 0


def test_uvicorn_is_held_to_the_minor_version_whose_insides_are_used() -> None:
    (wanted,) = re.findall(r'"uvicorn>=(\d+)\.(\d+),<(\d+)\.(\d+)"', (ROOT / "pyproject.toml").read_text())
    first, minor, last, next_minor = map(int, wanted)
    assert (first, minor + 1) == (last, next_minor)
