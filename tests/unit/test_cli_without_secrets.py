"""What needs the ledger alone works for whoever may read it, with the unit's secrets out of sight."""

import json
import re
import time
from pathlib import Path

import pytest

from syncd.cli import app, credentials, failing
from syncd.config import load
from syncd.contract.errors import ConfigError
from syncd.registry import Registry
from tests.boot.commands import CALLS
from tests.boot.container import HOME

from .harness import EMAIL, Harness

CONFIG = """\
ledger: {{ path: {path} }}
callbacks: {{ public_url: "https://enrich.example.com", secrets: [{{ credential: callback-secret }}] }}
admin: {{ token: "${{NOWHERE_TO_BE_SEEN}}" }}
connections:
  crm: {{ connector: hubspot, access_token: {{ credential: hubspot-token }} }}
  ann: {{ connector: zeliq, api_key: {{ file: /nowhere/at/all }} }}
syncs: [{{ name: people, crm: crm, object: contacts, every: 15m, fields: {{ email: {{ providers: [ann] }} }} }}]
"""
ON_THE_LEDGER = [
    ["status"],
    ["status", "--json"],
    ["show", "crm/contacts/501"],
    ["verify"],
    ["reconcile"],
    ["thaw"],
    ["in-doubt", "list"],
    ["in-doubt", "list", "--expired"],
    ["in-doubt", "resolve", "--all", "--sent"],
    ["review", "list"],
    ["review", "accept", "--all"],
    ["retry", "--field", "email"],
    ["backup", "copy.db"],
]


@pytest.fixture
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A ledger with one contact, whose daemon is stopped."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv(credentials.VARIABLE, raising=False)
    with Harness(tmp_path, fields={EMAIL: ["ann"]}) as harness:
        harness.person("Ada")
        harness.ask()
    path = tmp_path / "config.yaml"
    path.write_text(CONFIG.format(path=json.dumps(str(tmp_path / "ledger.db"))), "utf-8")
    return path


def ended(*words: str) -> int:
    return failing.outcome(lambda: app([*words], prog_name="syncd"), debug=False)


@pytest.mark.parametrize("words", ON_THE_LEDGER, ids=" ".join)
def test_s1_a_command_on_the_ledger_needs_no_secret(
    config: Path, words: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert ended(*words, "-c", str(config)) == 0, capsys.readouterr().err
    assert "credential" not in capsys.readouterr().err


def looks_for_secrets() -> set[str]:
    """As README.md tells it."""
    text = (Path(__file__).parents[2] / "README.md").read_text("utf-8")
    (said,) = re.findall(r"(?s)Only (`run`.*?) look for the configuration's secrets: all others", text)
    return set(re.findall(r"`([a-z ]+)`", said))


def test_s1_only_the_commands_that_the_readme_names_look_for_secrets(config: Path, tmp_path: Path) -> None:
    """As `make boot` calls each; the demo has a configuration of its own."""
    refused = set()
    for name, call in CALLS.items():
        words = call.command.replace(HOME, str(tmp_path)).format(contact="crm/contacts/501").split()
        without_file = words[0] in {"connectors", "config", "completion"}
        if name != "demo" and ended(*words, *([] if without_file else ["-c", str(config)])) == 78:
            refused.add(name)
    assert refused == looks_for_secrets() - {"run"}


def test_s1_restore_needs_none_either(config: Path, tmp_path: Path) -> None:
    assert ended("backup", "copy.db", "-c", str(config)) == 0
    assert ended("restore", "copy.db", "-c", str(config)) == 0


@pytest.mark.parametrize("words", [["check"], ["plan"], ["run", "--once"]], ids=" ".join)
def test_s1_what_needs_secrets_says_which_it_cannot_see_and_the_line_that_shows_them(
    config: Path, words: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert ended(*words, "-c", str(config)) == 78
    told = capsys.readouterr().err.splitlines()
    assert any(
        ":2: callbacks.secrets[0]: the credential callback-secret can't be seen from here" in one for one in told
    )
    line, see = told[-2:]
    assert see.endswith("docs/reference/errors.md#configuration")
    for name in ("callback-secret", "hubspot-token"):
        assert f"-pLoadCredential={name}:/etc/credstore/syncd.{name}" in line


def test_s1_root_finds_the_credentials_of_the_unit_that_runs(config: Path, tmp_path: Path) -> None:
    shown = tmp_path / "run"
    (shown / credentials.UNIT).mkdir(parents=True)
    for name, secret in {"callback-secret": "x" * 40, "hubspot-token": "pat-eu1-token"}.items():
        (shown / credentials.UNIT / name).write_text(secret + "\n", "utf-8")
    environ = credentials.environment({"NOWHERE_TO_BE_SEEN": "a-token"}, shown)
    with pytest.raises(ConfigError, match="/nowhere/at/all can't be read") as raised:
        load(config, environ, registry=Registry())
    assert len(raised.value.problems) == 1, "all others were found"


def test_a_slip_elsewhere_in_the_file_is_told_and_stops_no_command_on_the_ledger(
    config: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config.write_text(config.read_text("utf-8").replace("every: 15m", "evry: 15m"), "utf-8")
    assert ended("status", "-c", str(config)) == 0
    assert "config.yaml:7: syncs[0].evry: unknown key; did you mean 'every'?" in capsys.readouterr().err
    config.write_text(config.read_text("utf-8").replace("path:", "pth:"), "utf-8")
    assert ended("status", "-c", str(config)) == 78


@pytest.mark.parametrize(
    ("secret", "what"),
    [
        ("pat-eu1-\nsecret", "a line end"),
        ("pat-eu1-secret\n\n", "a line end"),
        ("pat-eu1-\tsecret", "a line end, a tab"),
        (" pat-eu1-secret", "a blank"),
        ("pat eu1-secret", "a blank"),
        ("\u201cpat-eu1-secret\u201d", "a character that no key has"),
    ],
)
def test_s13_a_key_that_no_request_could_carry_is_refused_and_not_shown(
    config: Path, tmp_path: Path, secret: str, what: str
) -> None:
    (tmp_path / "token").write_text(secret, "utf-8")
    config.write_text(config.read_text("utf-8").replace("{ credential: hubspot-token }", "{ file: token }"), "utf-8")
    with pytest.raises(ConfigError) as raised:
        load(config, {}, registry=Registry())
    (told,) = [one for one in raised.value.problems if "access_token" in one]
    assert ":5: connections.crm.access_token: holds " + what in told
    assert "secret" not in told.replace("secrets", "")


@pytest.mark.parametrize("end", ["", "\n", "\r\n"])
def test_s13_the_last_line_end_of_a_file_is_no_part_of_its_secret(config: Path, tmp_path: Path, end: str) -> None:
    (tmp_path / "token").write_bytes(b"pat-eu1-secret" + end.encode())
    (tmp_path / "token").chmod(0o600)
    text = config.read_text("utf-8")
    for old in ("{ credential: hubspot-token }", "{ file: /nowhere/at/all }"):
        text = text.replace(old, "{ file: token }")
    config.write_text(text.replace("{ credential: callback-secret }", '"${LONG}"'), "utf-8")
    settings = load(
        config, {"LONG": "a phrase of several words is as good", "NOWHERE_TO_BE_SEEN": "t"}, registry=Registry()
    )
    assert "pat-eu1-secret" in settings.secrets


def test_the_time_of_a_restored_ledger_is_now(config: Path) -> None:
    """A clock of a rehearsal would name the files that were moved aside with a day that never was."""
    ended("backup", "copy.db", "-c", str(config))
    ended("restore", "copy.db", "-c", str(config))
    (aside,) = [one.name for one in config.parent.glob("ledger.db.2*Z")]
    assert abs(time.mktime(time.strptime(aside, "ledger.db.%Y%m%dT%H%M%SZ")) - time.time()) < 2 * 86_400
