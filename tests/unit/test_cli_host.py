"""What `check` and `doctor` see of the host, each case made for real."""

import fcntl
import json
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from syncd.cli import app, failing, host
from syncd.config import Address
from syncd.contract.errors import Trouble
from syncd.contract.model import Finding, Level
from syncd.ledger import connections

from .harness import EMAIL, Harness

CONFIG = """\
ledger: {{ path: {path} }}
callbacks: {{ public_url: "http://localhost:8080", secrets: [{{ credential: callback-secret }}] }}
admin: {{ listen: "127.0.0.1:{port}" }}
connections:
  crm: {{ connector: hubspot, access_token: {{ credential: hubspot-token }} }}
  ann: {{ connector: zeliq, api_key: {{ credential: zeliq-key }} }}
syncs: [{{ name: people, crm: crm, object: contacts, every: 15m, fields: {{ email: {{ providers: [ann] }} }} }}]
"""


def levels(found: Iterator[Finding]) -> list[tuple[Level, str]]:
    return [(one.level, one.what) for one in found]


def test_c7_the_ledgers_folder(tmp_path: Path) -> None:
    inside = tmp_path / "a" / "b"
    assert levels(host.folder(inside)) == [(Level.OK, f"{inside} is made at the first start")]
    inside.mkdir(parents=True, mode=0o700)
    assert levels(host.folder(inside)) == []
    inside.chmod(0o755)
    assert levels(host.folder(inside)) == [(Level.WARNING, f"{inside} is open to other users (mode 755)")]
    (tmp_path / "file").touch()
    assert levels(host.folder(tmp_path / "file" / "c")) == [(Level.ERROR, f"{tmp_path / 'file'} is no folder")]


@pytest.mark.skipif(os.geteuid() == 0, reason="root can write everywhere")
def test_c7_a_folder_that_this_user_can_not_make() -> None:
    (missing,) = host.folder(Path("/syncd-nowhere"))
    assert (missing.level, "is missing, and can't be made in /" in missing.what) == (Level.ERROR, True)


def test_c7_whose_lock_it_is(tmp_path: Path) -> None:
    path = tmp_path / "ledger.db"
    assert host.running(path) is None
    script = "import fcntl, sys; f = open(sys.argv[1], 'w'); fcntl.flock(f, fcntl.LOCK_EX); print(); sys.stdin.read()"
    command = [sys.executable, "-c", script, f"{path}.lock"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as other:
        assert other.stdout is not None
        other.stdout.readline()
        holder = host.running(path)
        (told,) = host.lock(path, holder)
        other.communicate()
    assert holder in (other.pid, 0)
    assert (told.level, "is no syncd" in told.what) in ((Level.ERROR, True), (Level.OK, False))
    assert host.running(path) is None


def test_c7_files_of_another_user_beside_the_ledger(tmp_path: Path) -> None:
    path = tmp_path / "ledger.db"
    path.touch()
    assert levels(host.owners(path)) == []
    if os.geteuid() == 0:
        os.chown(path, 61_234, 61_234)
        (told,) = host.owners(path)
        assert told.cure == f"chown --reference={tmp_path} {path}"


def test_c7_room_on_the_disk(tmp_path: Path) -> None:
    path = tmp_path / "ledger.db"
    assert levels(host.space(path, 1)) == []
    (told,) = host.space(path, 1 << 60)
    assert (told.level, "less than ledger.reserve" in told.what) == (Level.ERROR, True)


def test_c7_a_port_that_is_taken() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        number = taken.getsockname()[1]
        (told,) = host.port(Address("127.0.0.1", number), "admin.listen")
    assert f"admin.listen 127.0.0.1:{number}: Address already in use" in told.what
    assert levels(host.port(Address("127.0.0.1", number), "admin.listen")) == []


# --- doctor -------------------------------------------------------------------------------------


def doctor(config: Path, capsys: pytest.CaptureFixture[str]) -> tuple[int, dict[str, list[str]]]:
    """The exit code, and what was found at each level."""
    code = failing.outcome(lambda: app(["doctor", "-c", str(config), "--json"], prog_name="syncd"), debug=False)
    told: dict[str, list[str]] = {"ok": [], "warning": [], "error": []}
    for one in json.loads(capsys.readouterr().out)["findings"]:
        told[one["level"]].append(f"{one['where']}: {one['what']}")
    return code, told


def test_a_host_on_which_all_is_well(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with Harness(tmp_path, fields={EMAIL: ["ann"]}) as harness:
        harness.person("Ada")
    tmp_path.chmod(0o700)
    (tmp_path / "config.yaml").write_text(CONFIG.format(path=json.dumps(str(tmp_path / "ledger.db")), port=0), "utf-8")
    code, told = doctor(tmp_path / "config.yaml", capsys)
    assert (code, told["error"]) == (0, [])
    assert any("SQLite 3." in one for one in told["ok"])
    assert any("localhost is 127.0.0.1" in one or "localhost is ::1" in one for one in told["ok"])


def test_the_last_troubles_of_the_ledger_are_told_with_their_cure(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with Harness(tmp_path, fields={EMAIL: ["ann"]}) as harness:
        halt = (Trouble.CREDENTIALS, "the key is refused", "set another key")
        harness.run(harness.ledger.write(connections.halt, "ann", *halt, now=harness.clock.now()))
    (tmp_path / "config.yaml").write_text(CONFIG.format(path=json.dumps(str(tmp_path / "ledger.db")), port=0), "utf-8")
    code, told = doctor(tmp_path / "config.yaml", capsys)
    assert (code, told["error"]) == (1, ["ledger: ann is halted: the key is refused"])


def test_without_a_configuration_the_rest_is_looked_at(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, told = doctor(tmp_path / "none.yaml", capsys)
    assert code == 1
    assert any("SQLite" in one for one in told["ok"])
    assert any("none.yaml: can't be read" in one for one in told["error"])


def test_the_lock_of_a_daemon_that_runs_is_no_fault(tmp_path: Path) -> None:
    with (tmp_path / "ledger.db.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        holder = host.running(tmp_path / "ledger.db")
    assert holder in (os.getpid(), 0)
