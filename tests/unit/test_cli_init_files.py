"""What `syncd init` writes appears as a whole, or nothing of it does."""

from __future__ import annotations

import contextlib
import stat
from pathlib import Path

import pytest

from syncd.cli.setting_up.files import put, staged
from syncd.contract.errors import ConfigError

OTHERS = {"secrets/one": "first", "secrets/two": "second"}


def found(folder: Path) -> dict[str, str]:
    """Every file below a folder, and what is in it."""
    return {str(one.relative_to(folder)): one.read_text("utf-8") for one in folder.rglob("*") if one.is_file()}


def test_stopped_before_its_end_nothing_is_left(tmp_path: Path) -> None:
    with contextlib.suppress(KeyboardInterrupt), staged(tmp_path / "config.yaml", "text", OTHERS) as folder:
        assert found(folder) == {"config.yaml": "text", **OTHERS}
        raise KeyboardInterrupt
    assert list(tmp_path.iterdir()) == []


def test_all_of_it_is_put_for_this_user_alone(tmp_path: Path) -> None:
    target = tmp_path / "config.yaml"
    with staged(target, "text", OTHERS) as folder:
        put(folder, target, OTHERS, force=False)
    assert found(tmp_path) == {"config.yaml": "text", **OTHERS}
    modes = {str(one.relative_to(tmp_path)): stat.S_IMODE(one.stat().st_mode) for one in tmp_path.rglob("*")}
    assert modes == {"config.yaml": 0o600, "secrets": 0o700, "secrets/one": 0o600, "secrets/two": 0o600}


@pytest.mark.parametrize("there", ["config.yaml", "secrets/two"])
def test_where_one_is_there_already_none_is_put(tmp_path: Path, there: str) -> None:
    mine, target = tmp_path / there, tmp_path / "config.yaml"
    mine.parent.mkdir(exist_ok=True)
    mine.write_text("mine", "utf-8")
    with staged(target, "text", OTHERS) as folder:
        with pytest.raises(ConfigError, match="is there already"):
            put(folder, target, OTHERS, force=False)
        assert found(tmp_path)[there] == "mine"
        put(folder, target, OTHERS, force=True)
    assert found(tmp_path) == {"config.yaml": "text", **OTHERS}
