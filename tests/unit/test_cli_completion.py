"""What a shell proposes, and the manual: both are made from the commands themselves, so nothing is forgotten."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import typer

from syncd.cli import COMMANDS, app, manual, registered
from syncd.cli.completion import VARIABLE, connections, syncs

ROOT = Path(__file__).parents[2]
CONFIG = """\
connections: { crm-eu: { connector: hubspot }, ann: { connector: zeliq } }
syncs: [{ name: people, crm: crm-eu }, { name: leads }]
"""


def proposed(words: str, at: int, shell: str = "bash", folder: Path = ROOT) -> str:
    environ = {**os.environ, "PYTHONPATH": str(ROOT), VARIABLE: f"complete_{shell}", "COMP_WORDS": words}
    environ |= {"COMP_CWORD": str(at), "_TYPER_COMPLETE_ARGS": words, "_TYPER_COMPLETE_FISH_ACTION": "get-args"}
    command = [sys.executable, "-m", "syncd"]
    done = subprocess.run(command, env=environ, cwd=folder, capture_output=True, text=True, check=False, timeout=60)
    assert done.stderr == ""
    return done.stdout


def test_commands_are_proposed_without_importing_any() -> None:
    look = (
        "import sys; from syncd.cli import app; import typer; "
        "root = typer.main.get_command(app); "
        "found = [one.value for one in root.shell_complete(typer.Context(root), 're')]; "
        "print(*found); sys.exit(bool({'syncd.cli.look', 'syncd.config', 'rich'} & sys.modules.keys()))"
    )
    done = subprocess.run([sys.executable, "-c", look], capture_output=True, text=True, check=False, cwd=ROOT)
    assert (done.returncode, done.stdout.split()) == (
        0,
        ["retry", "report", "resume", "restore", "reconcile", "review"],
    ), done.stderr


def test_bash_itself_completes_with_the_names_of_the_configuration(tmp_path: Path) -> None:
    (tmp_path / "config.yaml").write_text(CONFIG, "utf-8")
    (tmp_path / "syncd").write_text(f'#!/bin/sh\nexec {sys.executable} -m syncd "$@"\n', "utf-8")
    (tmp_path / "syncd").chmod(0o755)
    script = (
        'eval "$(syncd completion bash)"; COMP_WORDS=(syncd in-doubt resolve --provider ""); COMP_CWORD=4; '
        '_syncd_completion syncd; echo "${COMPREPLY[@]}"'
    )
    environ = {**os.environ, "PYTHONPATH": str(ROOT), "PATH": f"{tmp_path}:{os.environ['PATH']}"}
    done = subprocess.run(
        ["bash", "-c", script], env=environ, cwd=tmp_path, capture_output=True, text=True, check=False, timeout=60
    )
    assert (done.stdout, done.stderr) == ("crm-eu ann\n", "")


@pytest.mark.parametrize("words", ["syncd pause ", "syncd undo --sync ", "syncd runs --sync ", "syncd pull "])
def test_wherever_a_sync_is_named_those_of_the_configuration_are_proposed(tmp_path: Path, words: str) -> None:
    (tmp_path / "config.yaml").write_text(CONFIG, "utf-8")
    assert {"people", "leads"} <= set(proposed(words, len(words.split()), folder=tmp_path).split())


@pytest.mark.parametrize("shell", ["zsh", "fish"])
def test_other_shells_are_answered_in_their_own_form(shell: str) -> None:
    assert "status" in proposed("syncd stat", 1, shell)


def test_names_are_those_of_the_configuration_whatever_is_wrong_with_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    context = typer.Context(typer.main.get_command(app))
    context.params = {"config": tmp_path / "config.yaml"}
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("SYNCD_CONFIG", raising=False)
    assert (connections(context, ""), syncs(context, "")) == ([], [])
    for text in ("connections: [", "- a list", "syncs: 3\nconnections: 4"):
        context.params["config"].write_text(text, "utf-8")
        assert (connections(context, ""), syncs(context, "")) == ([], [])
    context.params["config"].write_text(CONFIG, "utf-8")
    assert (connections(context, "c"), syncs(context, "")) == (["crm-eu"], ["people", "leads"])


# --- the manual ---------------------------------------------------------------------------------


def test_each_command_has_its_page_with_all_of_its_options(tmp_path: Path) -> None:
    written = {path.stem: path.read_text("utf-8") for path in manual.write(tmp_path / "man")}
    assert {f"syncd-{name}" for name in COMMANDS} | {"syncd", "syncd-in-doubt-list"} <= written.keys()
    for name, (module, said) in COMMANDS.items():
        page = written[f"syncd-{name}"].replace("\\-", "-")
        assert f"syncd-{name} - {said.rstrip('.')}" in page or name in ("config", "review", "in-doubt")
        for parameter in registered(module)[name].params:
            for option in parameter.opts if parameter.opts[0].startswith("-") else ():
                assert option in page, (name, option)
        assert f"\n{name} \\-".replace("\\-", "-") not in page
        assert f".B {name}\n" in written["syncd"].replace("\\-", "-")
    assert "\n.B 78\nThe configuration can't be used.\n" in written["syncd-run"]


@pytest.mark.skipif(shutil.which("man") is None, reason="needs man")
def test_man_itself_has_no_complaint(tmp_path: Path) -> None:
    pages = [str(path) for path in manual.write(tmp_path)]
    done = subprocess.run(
        ["man", "--warnings", "-E", "UTF-8", "-l", "-Tutf8", *pages],
        capture_output=True, text=True, check=False, env={**os.environ, "MANPAGER": "cat", "LC_ALL": "C.UTF-8"},
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")
    shown = re.sub(".\b", "", done.stdout)
    assert "syncd retry --reason not_found --sync people" in shown
