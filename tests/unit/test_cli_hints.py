"""What a hint names can be pasted: the program as it was called, and the configuration that was named."""

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from syncd.cli import output

ROOT = Path(__file__).parents[2]


@pytest.fixture
def called(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """`.venv/bin/syncd`, typed in the folder that it is in; nothing of that name is in the PATH."""
    program = tmp_path / ".venv" / "bin" / "syncd"
    program.parent.mkdir(parents=True)
    program.touch(mode=0o755)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PATH", "/usr/bin:/bin")
    monkeypatch.setattr(sys, "argv", [str(program), "status"])
    monkeypatch.setitem(output._given, "config", None)
    return program


def test_s12_the_program_is_named_as_it_was_called(called: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert output.pasteable("look: syncd status") == "look: .venv/bin/syncd status"
    monkeypatch.setattr(sys, "argv", [".venv/bin/syncd", "status"])
    assert output.pasteable("`syncd in-doubt list` shows it") == "`.venv/bin/syncd in-doubt list` shows it"
    monkeypatch.setenv("PATH", str(called.parent))
    assert output.pasteable("look: syncd status") == "look: syncd status"
    monkeypatch.setattr(sys, "argv", ["/usr/lib/python3/dist-packages/syncd/__main__.py", "status"])
    assert output.pasteable("syncd thaw --yes") == f"{sys.executable} -m syncd thaw --yes"


def test_s12_the_configuration_that_was_named_is_named_again(called: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(called.parent))
    monkeypatch.setitem(output._given, "config", Path("a b.yaml"))
    assert output.pasteable("syncd review accept 7") == "syncd review accept -c 'a b.yaml' 7"
    assert output.pasteable("syncd status -c demo/config.yaml") == "syncd status -c demo/config.yaml"
    for text in ("syncd stopped itself", "a running syncd", "/etc/syncd/config.yaml", "syncd doctors nothing"):
        assert output.pasteable(text) == text


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_whoever_interrupts_a_command_meets_no_traceback(number: signal.Signals, code: int) -> None:
    script = (
        "import time; from syncd.cli import failing; "
        "failing.run(lambda: (print('begun', flush=True), time.sleep(60)), debug=False)"
    )
    command = [
        sys.executable,
        "-c",
        f"import signal; signal.signal(signal.SIGINT, signal.default_int_handler); {script}",
    ]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=ROOT) as process:
        assert process.stdout is not None
        process.stdout.readline()
        process.send_signal(number)
        _, told = process.communicate(timeout=60)
    assert (process.returncode, told) == (code, "")
