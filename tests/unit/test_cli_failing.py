"""Whatever a command meets: a sentence that says what to do next, the exit code of the table, and no traceback."""

import errno
import fcntl
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import typer

from syncd.cli import app, failing
from syncd.cli.work import only_daemon
from syncd.contract.errors import BrokenInvariant, ConfigError, Halt, Retry, SyncdError, Trouble
from syncd.ledger.file import DiskFailed, DiskFull, LedgerBusy, LedgerCorrupt, LedgerError, LedgerForbidden
from syncd.ledger.sqlite import sqlite3
from syncd.ledger.store import Ledger

from .harness import EMAIL, Harness

ROOT = Path(__file__).parents[2]
NOBODY = 65_534
CONFIG = """\
ledger: {{ path: {path} }}
callbacks: {{ public_url: "https://enrich.example.com", secrets: ["a secret of many letters, at least 32"] }}
connections:
  crm: {{ connector: hubspot, access_token: a-token-of-this-test }}
  ann: {{ connector: zeliq, api_key: a-key-of-this-test }}
syncs: [{{ name: people, crm: crm, object: contacts, every: 15m, fields: {{ email: {{ providers: [ann] }} }} }}]
"""
AS_ROOT = pytest.mark.skipif(os.geteuid() != 0, reason="only root can be somebody else")


@pytest.fixture(scope="module")
def made() -> Iterator[Path]:
    """A folder that everybody may enter, with a ledger that only its owner may read."""
    with tempfile.TemporaryDirectory(prefix="syncd-failing-") as name:
        folder = Path(name)
        folder.chmod(0o755)
        with Harness(folder, fields={EMAIL: ["ann"]}) as harness:
            harness.person("Ada")
            harness.ask()
        (folder / "config.yaml").write_text(CONFIG.format(path=json.dumps(str(folder / "ledger.db"))), "utf-8")
        yield folder


def ended(*words: str | Path, config: Path) -> int:
    return failing.outcome(lambda: app([*map(str, words), "-c", str(config)], prog_name="syncd"), debug=False)


# Python itself may lie where nobody else can read: all that is needed is imported before.
AS_NOBODY = f"""
import contextlib, io, json, os, sys
from syncd.cli import COMMANDS, app, failing, registered
for module, _ in COMMANDS.values():
    registered(module)
commands = json.loads(sys.argv[1])
failing.outcome(lambda: app(["status", *commands[-1][-2:]], prog_name="syncd"), debug=False)
os.setresgid({NOBODY}, {NOBODY}, {NOBODY}); os.setgroups([]); os.setresuid({NOBODY}, {NOBODY}, {NOBODY})
for words in commands:
    with contextlib.redirect_stdout(io.StringIO()) as out, contextlib.redirect_stderr(io.StringIO()) as err:
        code = failing.outcome(lambda: app(words, prog_name="syncd"), debug=False)
    print(json.dumps([code, out.getvalue(), err.getvalue()]), file=sys.__stdout__, flush=True)
"""


def as_nobody(*commands: list[str]) -> list[tuple[int, str, str]]:
    """Of each command: the exit code, and what was said on standard output and standard error."""
    command = [sys.executable, "-c", AS_NOBODY, json.dumps(commands)]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, check=False, timeout=60)
    answers = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("[")]
    assert len(answers) == len(commands), done.stderr
    return answers


def raising(error: Exception) -> Callable[[], object]:
    def command() -> None:
        raise error

    return command


def of_sqlite(code: int) -> sqlite3.OperationalError:
    error = sqlite3.OperationalError("as SQLite has it")
    error.sqlite_errorcode = code
    return error


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (SyncdError("it is so"), 1),
        (LedgerError("there is no ledger at all"), 1),
        (LedgerCorrupt("it is damaged"), 65),
        (BrokenInvariant("one and one is three"), 70),
        (ValueError("nobody foresaw it"), 70),
        (RecursionError("too deep"), 70),
        (DiskFailed("it did not give it back"), 74),
        (DiskFull("no room"), 74),
        (OSError(errno.ENOSPC, "No space left on device", "/copy"), 74),
        (OSError(errno.EIO, "Input/output error", "/copy"), 74),
        (LedgerBusy("somebody has it"), 75),
        (Retry("the vendor is away"), 75),
        (OSError(errno.EMFILE, "Too many open files", "/copy"), 75),
        (LedgerForbidden("not yours"), 77),
        (PermissionError(errno.EACCES, "Permission denied", "/srv/copy"), 77),
        (OSError(errno.EROFS, "Read-only file system", "/copy"), 77),
        (Halt("the key is wrong", trouble=Trouble.CREDENTIALS, cure="set another"), 1),
        (ConfigError(["config.yaml:3: it is wrong; mend it"]), 78),
        (of_sqlite(5), 75),
        (of_sqlite(8), 77),
        (of_sqlite(10), 74),
        (of_sqlite(11), 65),
        (of_sqlite(13), 74),
        (of_sqlite(14), 77),
        (of_sqlite(26), 65),
        (of_sqlite(1), 70),
        (KeyboardInterrupt(), 130),
        (SystemExit(3), 3),
    ],
    ids=repr,
)
def test_the_table_of_exit_codes(
    error: Exception, code: int, capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STATE_DIRECTORY", str(tmp_path))
    assert failing.outcome(raising(error), debug=False) == code
    told = capsys.readouterr().err
    assert "Traceback" not in told
    assert isinstance(error, KeyboardInterrupt | SystemExit) or told.startswith("error: ")


def test_s13_what_nobody_foresaw_is_one_line_and_its_details_are_kept_without_secrets(
    made: Path, capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STATE_DIRECTORY", str(tmp_path))

    def command() -> None:
        assert ended("status", config=made / "config.yaml") == 0  # the secrets are known from now on
        raise ValueError("Invalid header value b'a-token-of-this-test\\n' for +33612345678 of ada@stone.example")

    assert failing.outcome(command, debug=False) == 70
    told = capsys.readouterr().err
    (kept,) = tmp_path.glob("syncd-error-*.txt")
    assert told.count("\n") == 1
    assert "ValueError in test_cli_failing.py:" in told
    assert str(kept) in told
    details = kept.read_text("utf-8")
    assert "Traceback" in details
    for private in ("a-token-of-this-test", "33612345678", "ada@stone"):
        assert private not in told + details
    assert kept.stat().st_mode & 0o777 == 0o600


def test_s13_with_debug_the_details_are_shown() -> None:
    script = "import sys; from syncd.cli import failing; failing.run(lambda: 1 / 0, debug=True)"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False, cwd=ROOT)
    assert done.returncode == 70
    assert "ZeroDivisionError: division by zero" in done.stderr
    last = done.stderr.splitlines()[-1]
    assert last.startswith("error: syncd met something that nobody foresaw: ZeroDivisionError")
    assert last.endswith("[bug]")


# --- on a real host -----------------------------------------------------------------------------


def test_s8_a_place_that_is_not_there(made: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert ended("backup", made / "no" / "copy.db", config=made / "config.yaml") == 1
    assert capsys.readouterr().err == (
        f"error: {made}/no: No such file or directory\n       → create the folder, or name another place\n"
        "       see docs/reference/errors.md#failed\n"
    )


def test_s8_a_place_that_is_a_file(made: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert ended("backup", made / "config.yaml" / "copy.db", config=made / "config.yaml") == 1
    assert "name a path whose folders are folders" in capsys.readouterr().err


@AS_ROOT
def test_s8_another_user_is_told_whose_place_it_is(made: Path) -> None:
    place, theirs = made / "copies", made / "theirs"
    ours, own = str(made / "config.yaml"), made / "own.yaml"
    own.write_text(CONFIG.format(path=json.dumps(str(theirs / "ledger.db"))), "utf-8")
    for folder in (place, theirs):
        folder.mkdir(mode=0o755)
    assert ended("backup", theirs / "ledger.db", config=made / "config.yaml") == 0
    for one in (theirs, theirs / "ledger.db"):
        os.chown(one, NOBODY, NOBODY)
    looks = [[word, "-c", ours] for word in ("status", "verify", "thaw")]
    backup = ["backup", str(place / "copy.db"), "-c", str(own)]
    foreign = made / "foreign"  # a folder of everybody's, a ledger of root's that all may read and write
    foreign.mkdir()
    foreign.chmod(0o777)
    Ledger.open(foreign / "ledger.db").close()
    (foreign / "ledger.db").chmod(0o666)
    (foreign / "config.yaml").write_text(CONFIG.format(path=json.dumps(str(foreign / "ledger.db"))), "utf-8")
    theirs_too = ["run", "--once", "-c", str(foreign / "config.yaml")]
    *looked, copied, run, opened = as_nobody(*looks, backup, ["run", "--once", "-c", ours], theirs_too)
    for code, said, told in looked:
        assert (code, said) == (77, ""), told
        assert f"error: {made}/ledger.db: Permission denied" in told
        assert "run it as root, for example by sudo; you are nobody" in told
    assert (copied[0], run[0], opened[0]) == (77, 77, 77)
    assert "ledger.db can't be opened: Operation not permitted" in opened[2]
    assert f"error: {place}/.copy.db.partial: Permission denied" in copied[2]
    assert f"error: {made}/ledger.db.lock: Permission denied" in run[2]
    assert [*place.iterdir()] == []


def test_a_file_that_is_no_ledger(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    config = tmp_path / "config.yaml"
    config.write_text(CONFIG.format(path=json.dumps(str(tmp_path / "ledger.db"))), "utf-8")
    (tmp_path / "ledger.db").write_text("hello, " * 1000, "utf-8")
    for words in (["status"], ["show", "crm/contacts/1"], ["verify"], ["in-doubt", "list"]):
        assert ended(*words, config=config) == 65
    assert "restore a copy" in capsys.readouterr().err


def test_no_ledger_yet(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    config = tmp_path / "config.yaml"
    config.write_text(CONFIG.format(path=json.dumps(str(tmp_path / "ledger.db"))), "utf-8")
    for words in (["status"], ["reconcile", "--accept", "ann"], ["backup", str(tmp_path / "copy.db")]):
        assert ended(*words, config=config) == 1
        assert "there is no ledger at" in capsys.readouterr().err
    assert sorted(one.name for one in tmp_path.iterdir()) == ["config.yaml"], "nothing was made by looking"


def test_another_daemon_has_the_ledger(made: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with (made / "ledger.db.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        assert ended("restore", made / "ledger.db", config=made / "config.yaml") == 73
        assert "stop it first" in capsys.readouterr().err
        with pytest.raises(typer.Exit, match="73"), only_daemon(made / "ledger.db"):
            pass


def test_nobody_reads_to_the_end() -> None:
    read, write = os.pipe()
    os.close(read)
    done = syncd_to(write, "connectors")
    assert (done.returncode, done.stderr) == (141, "")


def test_the_output_has_no_room() -> None:
    done = syncd_to(os.open("/dev/full", os.O_WRONLY), "--help")
    assert done.returncode == 74
    assert done.stderr == (
        "error: No space left on device\n       → make room there, or name another place\n"
        "       see docs/reference/errors.md#disk-full\n"
    )


def syncd_to(number: int, *words: str | Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "syncd", *map(str, words)]
    try:
        return subprocess.run(command, stdout=number, stderr=subprocess.PIPE, text=True, cwd=ROOT, check=False)
    finally:
        os.close(number)


@pytest.mark.parametrize("typed", [["retri"], ["runs", "--limit", "0"], ["show"], ["contacts", "--nothing"]])
def test_c20_what_was_typed_wrongly_has_its_code_too(typed: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert failing.outcome(lambda: app(typed, prog_name="syncd"), debug=False) == 2
    assert capsys.readouterr().err.endswith("\n       see docs/reference/errors.md#usage\n")


def test_c20_help_is_no_error(capsys: pytest.CaptureFixture[str]) -> None:
    failing.outcome(lambda: app([], prog_name="syncd"), debug=False)
    assert "see docs" not in "".join(capsys.readouterr())
