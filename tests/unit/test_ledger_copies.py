"""Copies of a ledger: nothing half done is left, nothing is lost, and they belong to whom they should."""

import errno
import fcntl
import os
import resource
import shutil
import signal
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from syncd.cli.work import only_daemon
from syncd.ledger import copies, upkeep
from syncd.ledger.file import DiskFailed, DiskFull, LedgerBusy, LedgerError, held
from syncd.ledger.store import Tx

from .audit import ask
from .conftest import Build
from .harness import EMAIL, Harness

pytestmark = pytest.mark.sqlite


@pytest.fixture
def written(build: Build) -> Harness:
    """A ledger with a contact that was asked about."""
    harness = build(fields={EMAIL: ["ann"]})
    harness.person("Ada")
    harness.ask()
    return harness


def test_where_there_is_no_such_folder_that_is_said(written: Harness, tmp_path: Path) -> None:
    for folder, kind in ((tmp_path / "none", FileNotFoundError), (written.path, NotADirectoryError)):
        with pytest.raises(kind) as told:
            copies.back_up(written.path, folder / "copy.db")
        assert told.value.filename == str(folder)
    (tmp_path / "there.db").symlink_to("nowhere")
    with pytest.raises(LedgerError, match="is there already: name a new file"):
        copies.back_up(written.path, tmp_path / "there.db")


def test_a_ledger_s_folder_is_made_for_its_owner_alone(tmp_path: Path) -> None:
    path = tmp_path / "some" / "where" / "ledger.db"
    for _ in range(2):
        with held(path) as mine:
            assert mine
            with held(path) as another:
                assert not another
    assert [stat.S_IMODE(one.stat().st_mode) for one in (path.parent, path.with_name("ledger.db.lock"))] == [
        0o700,
        0o600,
    ]


@pytest.fixture
def copy(written: Harness, tmp_path: Path) -> Path:
    """A copy of it."""
    copies.back_up(written.path, tmp_path / "copy.db")
    return tmp_path / "copy.db"


def test_s8_what_can_not_be_copied_leaves_nothing_behind(written: Harness, tmp_path: Path) -> None:
    place = tmp_path / "copies"
    place.mkdir()

    def enough(done: int, _: int) -> None:
        raise KeyboardInterrupt

    grow(written)
    with pytest.raises(KeyboardInterrupt):
        copies.back_up(written.path, place / "copy.db", enough)
    assert [*place.iterdir()] == []
    with tight(place), pytest.raises((DiskFull, DiskFailed), match="could not be written"):
        copies.back_up(written.path, place / "copy.db")
    assert [*place.iterdir()] == []


def test_s8_what_a_killed_one_has_left_is_used_and_one_that_runs_is_not_disturbed(
    written: Harness, tmp_path: Path
) -> None:
    left = tmp_path / ".copy.db.partial"
    left.write_bytes(b"half a page" * 10_000)
    left.chmod(0o644)
    with left.open("rb") as other:
        fcntl.flock(other, fcntl.LOCK_EX)
        with pytest.raises(LedgerBusy, match="another syncd is writing"):
            copies.back_up(written.path, tmp_path / "copy.db")
    assert left.exists()
    copies.back_up(written.path, tmp_path / "copy.db")
    assert not left.exists()
    assert stat.S_IMODE((tmp_path / "copy.db").stat().st_mode) == 0o600
    assert [*upkeep.integrity(tmp_path / "copy.db")] == []


def test_where_no_ledger_is_yet_nothing_is_copied_for_a_trial(written: Harness, tmp_path: Path) -> None:
    copies.copy_for_trial(tmp_path / "none.db", tmp_path / "trial.db")
    assert not (tmp_path / "trial.db").exists()
    copies.copy_for_trial(written.path, tmp_path / "trial.db")
    assert ask(tmp_path / "trial.db", "SELECT count(*) FROM job") == ask(written.path, "SELECT count(*) FROM job")


def test_s9_what_stood_in_the_way_of_a_restored_ledger_is_kept_and_can_be_read(
    written: Harness, copy: Path, tmp_path: Path
) -> None:
    old = tmp_path / "old" / "ledger.db"
    old.parent.mkdir()
    for end in ("", "-wal", "-shm"):  # as a daemon that was killed leaves it: its last commits are in the -wal
        shutil.copy(f"{written.path}{end}", f"{old}{end}")
    wal = Path(f"{old}-wal").read_bytes()
    assert len(wal) > 1000
    done = copies.restore(copy, old, frozen_until=7.0, now=0.0)
    assert [one.name for one in done.aside] == [
        "ledger.db.19700101T000000Z", "ledger.db.19700101T000000Z-wal", "ledger.db.19700101T000000Z-shm",
    ]  # fmt: skip
    assert done.aside[1].read_bytes() == wal
    assert ask(done.aside[0], "SELECT count(*) FROM job") == ask(written.path, "SELECT count(*) FROM job")
    assert ask(old, "SELECT value FROM meta WHERE key = 'frozen_until'") == [(7.0,)]
    again = copies.restore(copy, old, frozen_until=8.0, now=0.0)
    assert [one.name for one in again.aside] == ["ledger.db.19700101T000000Z.1"], "nothing is written over"


@pytest.mark.parametrize("error", [errno.EPERM, errno.ENOTSUP, errno.EMLINK])
def test_s9_where_the_file_system_has_no_links_the_old_ledger_is_renamed(
    written: Harness, copy: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: int
) -> None:
    def no_links(_: Path, __: Path) -> None:
        raise OSError(error, os.strerror(error))

    old = tmp_path / "old.db"
    shutil.copy(copy, old)
    monkeypatch.setattr(Path, "hardlink_to", no_links)
    (aside,) = copies.restore(copy, old, frozen_until=7.0, now=0.0).aside
    assert ask(aside, "SELECT count(*) FROM meta WHERE key = 'frozen_until'") == [(0,)]
    assert ask(old, "SELECT value FROM meta WHERE key = 'frozen_until'") == [(7.0,)]


def test_s9_an_old_ledger_that_can_not_be_kept_is_not_replaced(
    written: Harness, copy: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(_: Path, __: Path) -> None:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    old = tmp_path / "old.db"
    shutil.copy(copy, old)
    before = old.read_bytes()
    monkeypatch.setattr(Path, "hardlink_to", refuse)
    with pytest.raises((OSError, DiskFailed)):
        copies.restore(copy, old, frozen_until=7.0, now=0.0)
    assert old.read_bytes() == before


def test_s9_a_wal_without_its_ledger_is_not_taken_for_the_copys(written: Harness, copy: Path, tmp_path: Path) -> None:
    target = tmp_path / "ledger.restored"
    shutil.copy(f"{written.path}-wal", f"{target}-wal")
    done = copies.restore(copy, target, frozen_until=7.0, now=0.0)
    assert [one.name for one in done.aside] == ["ledger.restored.19700101T000000Z-wal"]
    assert [*upkeep.integrity(target)] == []


@pytest.mark.skipif(os.geteuid() != 0, reason="only root restores for somebody else")
def test_s2_what_root_restores_belongs_to_the_owner_of_the_folder(written: Harness, copy: Path, tmp_path: Path) -> None:
    folder = tmp_path / "private"
    folder.mkdir(mode=0o700)
    os.chown(folder, 61_234, 61_234)  # as a dynamic user of systemd
    with only_daemon(folder / "ledger.db"):
        copies.restore(copy, folder / "ledger.db", frozen_until=7.0, now=0.0)
    for one in (folder, *folder.iterdir()):
        assert (one.stat().st_uid, one.stat().st_gid) == (61_234, 61_234), one
        assert stat.S_IMODE(one.stat().st_mode) == (0o700 if one is folder else 0o600), one
    assert {one.name for one in folder.iterdir()} == {"ledger.db", "ledger.db.lock"}


def grow(harness: Harness) -> None:
    """So large that SQLite does not copy it at once."""

    def more(tx: Tx) -> None:
        for number in range(20_000):
            upkeep.set_mark(tx, str(number), 1.0)

    harness.run(harness.ledger.write(more))


@contextmanager
def tight(folder: Path) -> Iterator[None]:
    """No file may be larger than 64 KiB meanwhile."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (64 << 10, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, handler)
