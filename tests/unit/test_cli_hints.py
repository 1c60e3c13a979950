"""What a hint names can be pasted: the program as it was called, and the configuration that was named."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PROGRAM = """#!{python}
import sys
from pathlib import Path

sys.path.insert(0, "{root}")
from syncd.cli import output

if "-c" in sys.argv:
    output.settings_from(Path(sys.argv[sys.argv.index("-c") + 1]), secrets=False)
for text in sys.stdin.read().splitlines():
    print(output.pasteable(text))
"""
CONFIG = """
ledger: { path: ledger.db }
callbacks: { public_url: "https://a.example.com", secrets: [a-secret-of-at-least-32-characters-1] }
connections:
  crm: { connector: hubspot, access_token: a-token-of-hubspot }
  finder: { connector: zeliq, api_key: a-key-of-zeliq-0 }
syncs:
  - { name: people, crm: crm, object: contacts, every: 15m, fields: { email: { providers: [finder] } } }
"""


@pytest.fixture
def program(tmp_path: Path) -> Path:
    """`.venv/bin/syncd` of a folder: it says each line of its standard input as a hint."""
    made = tmp_path / ".venv" / "bin" / "syncd"
    made.parent.mkdir(parents=True)
    made.write_text(PROGRAM.format(python=sys.executable, root=ROOT))
    made.chmod(0o755)
    return made


def hints(folder: Path, texts: list[str], *command: str | Path, path: str = "/usr/bin:/bin") -> list[str]:
    """What a command, typed in a folder, makes of texts."""
    given = {**os.environ, "PATH": path}
    done = subprocess.run(
        command, input="\n".join(texts), cwd=folder, env=given, capture_output=True, text=True, check=True
    )
    return done.stdout.splitlines()


def test_s12_the_program_is_named_as_it_was_called(program: Path, tmp_path: Path) -> None:
    texts = ["look: syncd status", "`syncd in-doubt list` shows it"]
    expected = ["look: .venv/bin/syncd status", "`.venv/bin/syncd in-doubt list` shows it"]
    assert hints(tmp_path, texts, program, "status") == expected
    assert hints(tmp_path, texts, ".venv/bin/syncd", "status") == expected
    assert hints(tmp_path, texts, program, "status", path=f"{program.parent}:/usr/bin:/bin") == texts


def test_s12_run_as_a_module_it_is_named_as_one(program: Path, tmp_path: Path) -> None:
    module = tmp_path / "syncd" / "__main__.py"
    module.parent.mkdir()
    module.write_text(program.read_text())
    told = hints(tmp_path, ["syncd thaw --yes"], sys.executable, module, "status")
    assert told == [f"{sys.executable} -m syncd thaw --yes"]


def test_s12_the_configuration_that_was_named_is_named_again(program: Path, tmp_path: Path) -> None:
    (tmp_path / "a b.yaml").write_text(CONFIG)
    changed = {"syncd review accept 7": "syncd review accept -c 'a b.yaml' 7"}
    same = ["syncd status -c demo/config.yaml", "syncd stopped itself", "a running syncd", "/etc/syncd/config.yaml"]
    texts = [*changed, *same, "syncd doctors nothing"]
    path = f"{program.parent}:/usr/bin:/bin"
    told = hints(tmp_path, texts, program, "status", "-c", "a b.yaml", path=path)
    assert told == [changed.get(text, text) for text in texts]


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
