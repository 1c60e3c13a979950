"""`syncd init` on a real terminal, against emulated vendors in a process of their own."""

from __future__ import annotations

import signal
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from .rig import Vendors, answer, ask, free_port, syncd
from .terminal import Terminal

PLAIN = {"crm": "hubspot", "provider": "fullenrich"}


@pytest.fixture(scope="module")
def vendors(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Vendors]:
    folder = tmp_path_factory.mktemp("vendors")
    with Vendors(folder, contacts=24, options=["--salesforce=8", "--leads=4"]) as running:
        yield running


def control(vendors: Vendors) -> str:
    address: str = vendors.info["urls"]["control"]
    return address


def options(vendors: Vendors, **named: str) -> list[str]:
    """For an installation of its own that asks nothing."""
    plain = {**PLAIN, "admin": f"127.0.0.1:{free_port()}", "listen": f"127.0.0.1:{free_port()}", **named}
    return [
        "--yes",
        "--sandbox",
        control(vendors),
        *(f"--{name.replace('_', '-')}={value}" for name, value in plain.items()),
    ]


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


@pytest.mark.parametrize("crm", ["hubspot", "salesforce"])
@pytest.mark.parametrize("provider", ["zeliq", "fullenrich"])
def test_a_person_answers_and_has_a_configuration_that_works(
    tmp_path: Path, vendors: Vendors, crm: str, provider: str
) -> None:
    key = vendors.info["keys"]
    listen, url = f"127.0.0.1:{free_port()}", vendors.info["urls"]
    given = ["--base-url", f"{crm}={url[crm]}", "--base-url", f"{provider}={url[provider]}"]
    with Terminal(["init", *given, "--admin", f"127.0.0.1:{free_port()}"], tmp_path) as terminal:
        terminal.until("Which CRM?")
        terminal.type("hubspoot\n")
        terminal.until("did you mean 'hubspot'?")
        terminal.type(f"{crm}\n")
        terminal.until("Which providers")
        terminal.type(f"{provider}\n")
        terminal.until("Which fields?")
        terminal.type("\n")
        terminal.until("How does syncd log in?")
        terminal.type("\n")
        if crm == "salesforce":
            terminal.until("My Domain")
            terminal.type(f"{key[crm]['domain']}\n")
            terminal.until("client_id")
            terminal.type(f"{key[crm]['client_id']}\n")
        terminal.until("reads a file): ")
        terminal.type(f"{key[crm]['client_secret'] if crm == 'salesforce' else key[crm]}\n")
        terminal.until("ok")
        terminal.until("reads a file): ")
        terminal.type("wrong-key\n")
        if provider == "zeliq":
            terminal.until("plan")
            terminal.type("essential\n")
        terminal.until("Ask for it again?")
        terminal.type("\n")
        terminal.until("reads a file): ")
        terminal.type(f"{key[provider]}\n")
        if provider == "zeliq":
            terminal.until("plan")
            terminal.type("essential\n")
        terminal.until("credits are left")
        terminal.until("Which objects")
        terminal.type("contacts\n")
        seen = terminal.until("Write to these?")
        assert "linkedin" in seen
        assert "opt-outs" in seen
        terminal.type("\n")
        terminal.until("Public URL")
        terminal.type(f"http://{listen}\n")
        terminal.until("ledger")
        terminal.type("\n")
        terminal.until("take callbacks?")
        terminal.type(f"{listen}\n")
        terminal.until("credits that a day may cost")
        terminal.type("50\n")
        terminal.until("config.yaml is written")
        assert terminal.ended() == 0
    path = tmp_path / "config.yaml"
    text = path.read_text("utf-8")
    assert mode(path) == 0o600
    assert {mode(one) for one in (tmp_path / "secrets").iterdir()} == {0o600}
    assert not any(secret in text for secret in (key[provider], key["hubspot"], key["salesforce"]["client_secret"]))
    assert sorted(one.name for one in tmp_path.iterdir()) == ["config.yaml", "secrets"]
    written = yaml.safe_load(text)
    assert written["budgets"] == [{"name": "all", "per_day": 50}]
    (sync,) = written["syncs"]
    assert sync["fields"]["phone"]["mobile"] in ("mobilephone", "MobilePhone")
    assert sync["extras"]["linkedin"] in ("hs_linkedin_url", "LinkedIn_Profile__c")
    found = answer("check", "-c", path)
    assert found["ok"], found
    assert [one["what"] for one in found["findings"] if one["where"] == "ledger"] == [
        f"{tmp_path / 'ledger'} is made at the first start"
    ]


@pytest.mark.parametrize(("crm", "provider"), [("hubspot", "zeliq"), ("salesforce", "fullenrich")])
def test_what_is_written_without_a_question_runs(tmp_path: Path, vendors: Vendors, crm: str, provider: str) -> None:
    path = tmp_path / "own" / "syncd.yaml"
    listen = f"127.0.0.1:{free_port()}"
    given = options(vendors, crm=crm, provider=provider, listen=listen, per_day="")
    done = syncd("init", "-c", path, *given, "--object=contacts")
    assert done.returncode == 0, done.stderr
    assert f"syncd check -c {path}" in done.stdout
    assert answer("check", "-c", path)["ok"]
    assert syncd("run", "--once", "-c", path).returncode == 0
    assert ask(tmp_path / "own/ledger/ledger.db", "SELECT count(*) FROM job WHERE reason = 'written'") > 0


def test_everything_that_is_missing_is_said_at_once(tmp_path: Path) -> None:
    done = syncd("init", "--yes", "--crm=salesforce", "--provider=zeliq", cwd=tmp_path, PYTHONPATH=str(Path.cwd()))
    assert done.returncode == 78
    for one in (
        "--set salesforce.domain=",
        "--set salesforce.client_id=",
        "$SALESFORCE_CLIENT_SECRET",
        "$ZELIQ_API_KEY",
    ):
        assert f"init needs {one}" in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_secrets_come_from_the_environment(tmp_path: Path, vendors: Vendors) -> None:
    urls, keys = vendors.info["urls"], vendors.info["keys"]
    given = [f"--base-url={name}={urls[name]}" for name in ("hubspot", "fullenrich")]
    named = [f"--{name}={value}" for name, value in PLAIN.items()]
    path = tmp_path / "config.yaml"
    environ = {"HUBSPOT_ACCESS_TOKEN": keys["hubspot"], "FULLENRICH_API_KEY": keys["fullenrich"]}
    done = syncd("init", "-c", path, "--yes", *given, *named, "--public-url=", **environ)
    assert done.returncode == 0, done.stderr
    assert "callbacks" not in yaml.safe_load(path.read_text("utf-8"))
    assert (tmp_path / "secrets/fullenrich.api_key").read_text("utf-8") == keys["fullenrich"]


def test_a_key_that_is_refused_ends_it_and_nothing_is_written(tmp_path: Path, vendors: Vendors) -> None:
    path = tmp_path / "config.yaml"
    done = syncd("init", "-c", path, *options(vendors), "--set=fullenrich.api_key=wrong-key")
    assert done.returncode == 1
    assert "fullenrich" in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_where_a_field_lives_can_be_given(tmp_path: Path, vendors: Vendors) -> None:
    path = tmp_path / "config.yaml"
    given = ["--set=hubspot-contacts.phone=mobilephone", "--set=hubspot-contacts.mobile=-"]
    assert syncd("init", "-c", path, *options(vendors), *given).returncode == 0
    phone = yaml.safe_load(path.read_text("utf-8"))["syncs"][0]["fields"]["phone"]
    assert (phone["property"], phone["also"], "mobile" in phone) == ("mobilephone", ["phone"], False)


def test_a_property_that_is_not_there_is_found_out_before_anything_is_written(tmp_path: Path, vendors: Vendors) -> None:
    path = tmp_path / "config.yaml"
    done = syncd("init", "-c", path, *options(vendors), "--set=hubspot-contacts.phone=nowhere")
    assert done.returncode == 1
    assert "nowhere" in done.stdout
    assert list(tmp_path.iterdir()) == []


def test_what_is_there_is_not_overwritten_but_with_force(tmp_path: Path, vendors: Vendors) -> None:
    path = tmp_path / "config.yaml"
    path.write_text("mine\n", "utf-8")
    done = syncd("init", "-c", path, *options(vendors))
    assert (done.returncode, path.read_text("utf-8")) == (78, "mine\n")
    assert "--force" in done.stderr
    path.unlink()
    (tmp_path / "secrets").mkdir()
    (tmp_path / "secrets/hubspot.access_token").write_text("mine", "utf-8")
    assert syncd("init", "-c", path, *options(vendors)).returncode == 78
    assert not path.exists()
    assert syncd("init", "-c", path, *options(vendors), "--force").returncode == 0
    assert (tmp_path / "secrets/hubspot.access_token").read_text("utf-8") == vendors.info["keys"]["hubspot"]


def test_without_a_terminal_it_says_what_to_do(tmp_path: Path) -> None:
    done = syncd("init", "-c", tmp_path / "config.yaml")
    assert done.returncode == 78
    assert "there is no terminal" in done.stderr
    assert "--yes" in done.stderr


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_stopped_at_a_question_it_leaves_nothing(tmp_path: Path, number: signal.Signals) -> None:
    with Terminal(["init"], tmp_path) as terminal:
        terminal.until("Which CRM?")
        terminal.until("[hubspot]: ")  # readline forgets an interrupt that comes while it begins to ask
        if number is signal.SIGINT:
            terminal.interrupt()
        else:
            terminal.process.send_signal(number)
        assert terminal.ended() in (1, 128 + number)
        assert "Traceback" not in terminal.said.decode()
        assert terminal.is_as_before()
    assert list(tmp_path.iterdir()) == []


def test_a_typing_error_in_an_option_is_told(tmp_path: Path, vendors: Vendors) -> None:
    path = tmp_path / "config.yaml"
    for wrong in ("--set=hubspott.share=1", "--base-url=hubspot=ftp://x"):
        assert syncd("init", "-c", path, *options(vendors), wrong).returncode in (2, 78), wrong
    done = syncd("init", "-c", path, *options(vendors), "--set=hubspot.shaer=0.3")
    assert done.returncode == 78
    assert "did you mean 'share'?" in done.stderr
    assert not path.exists()
