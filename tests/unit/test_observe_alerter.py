"""Alerts that are really sent: by Apprise, in a process of its own, to servers on loopback."""

from __future__ import annotations

import asyncio
import json
import os
import threading
import time
from dataclasses import replace
from pathlib import Path

import pytest
import structlog
from typer.testing import CliRunner

from syncd.cli import app
from syncd.config import Alert, load
from syncd.contract.errors import ConfigError, Trouble
from syncd.contract.network import Network
from syncd.ledger import connections
from syncd.observe.alerter import Alerter
from syncd.observe.alerts import SETTLE, sample_message
from syncd.observe.conditions import Condition, derive
from syncd.observe.sending import send
from syncd.observe.status import live
from syncd.registry import Registry
from tests.connectors.hostile import hostile
from tests.connectors.proxying import Authority, proxy

from .harness import Harness
from .receivers import mail, web

SECRET = "hunter2-hunter2"


def telling(harness: Harness, *targets: dict[str, object]) -> Harness:
    """A harness whose alerts go there."""
    made = tuple(Alert.model_validate(one) for one in targets)
    harness.reopen(replace(harness.settings, alerts=made))
    return harness


def halt(harness: Harness) -> None:
    key = "the key sk-live-0123456789abcdef is refused, says ada@acme.example.com"
    harness.run(
        harness.ledger.write(connections.halt, "ann", Trouble.CREDENTIALS, key, "give one", now=harness.clock.now())
    )


def rounds(harness: Harness, alerter: Alerter, *, after: float = SETTLE, more: float = 0.0) -> None:
    """A look now and one later; what is sent then has been sent, or not, when this returns."""

    async def go() -> None:
        await look(0.0)
        await look(after)
        for one in alerter._targets:
            if one.sending is not None:
                await one.sending
        await look(0.0)

    async def look(later: float) -> None:
        harness.clock.time += later
        await alerter.round(await conditions(), writable=True)

    async def conditions() -> list[Condition]:
        return derive(await live(harness.parts))

    harness.run(go())


def test_it_is_told_once_also_over_a_restart_and_its_end_too(harness: Harness) -> None:
    with web() as hook:
        telling(harness, {"to": hook.url})
        halt(harness)
        rounds(harness, Alerter(harness.parts))
        [told] = hook.got
        assert told["title"].endswith("ann: halted")
        assert "ann is halted" in told["message"]
        harness.reopen(harness.settings)
        rounds(harness, Alerter(harness.parts))
        assert len(hook.got) == 1, "a restart repeats nothing"
        harness.run(harness.ledger.write(connections.clear, "ann"))
        rounds(harness, Alerter(harness.parts))
        assert [one["title"].endswith("ann: halted is over") for one in hook.got] == [False, True]
        assert harness.sql("SELECT count(*) FROM alert") == [(0,)]


def test_nothing_personal_and_no_secret_leaves_the_process_or_is_kept(harness: Harness) -> None:
    with web() as hook:
        telling(harness, {"to": f"json://admin:{SECRET}@127.0.0.1:{hook.port}/hook"})
        halt(harness)
        with structlog.testing.capture_logs() as lines:
            rounds(harness, Alerter(harness.parts))
        [told] = hook.got
        for text in (
            json.dumps(told),
            json.dumps(lines),
            json.dumps(harness.sql("SELECT * FROM alert WHERE line = ''")),
        ):
            assert "sk-live" not in text
            assert "ada@" not in text
            assert SECRET not in text
        assert harness.settings.secrets >= {SECRET}
        assert SECRET not in str(harness.sql("SELECT * FROM alert"))


def test_who_does_not_take_it_is_tried_again_for_a_while_and_then_no_more(harness: Harness) -> None:
    with web() as hook:
        telling(harness, {"to": hook.url})
        halt(harness)
        hook.status = 500
        alerter = Alerter(harness.parts, first=0.0, tries=3)
        with structlog.testing.capture_logs() as lines:
            rounds(harness, alerter)
            rounds(harness, alerter, after=1.0)
            rounds(harness, alerter, after=1.0)
        assert [one["event"] for one in lines] == ["alert_failed", "alert_failed", "alert_lost"]
        assert all("500" in one["why"] for one in lines)
        hook.status = 200
        rounds(harness, alerter)
        assert hook.got == [], "it was given up"
        assert harness.parts.alerts_sent == {"failed": 2, "lost": 1}


def test_who_does_not_answer_holds_up_nobody_and_is_ended(harness: Harness) -> None:
    with web() as hook:
        telling(harness, {"to": hook.url})
        hook.hold = threading.Event()
        begun = time.monotonic()
        why = harness.run(send(harness.settings, harness.settings.alerts[0], sample_message(""), within=2.0))
        assert why == "it was not taken within 2 s"
        assert time.monotonic() - begun < 10
        hook.hold.set()


def test_it_goes_on_while_the_ledger_can_not_be_written(harness: Harness) -> None:
    with web() as hook:
        telling(harness, {"to": hook.url})
        halt(harness)
        alerter = Alerter(harness.parts)
        rounds(harness, alerter, after=0.0)

        async def go() -> None:
            harness.clock.time += SETTLE
            found = derive(await live(harness.parts))
            for _ in range(3):
                await alerter.round(found, writable=False)
                for one in alerter._targets:
                    if one.sending is not None:
                        await one.sending

        harness.run(go())
        assert len(hook.got) == 1


def test_a_test_message_comes_at_the_start_and_then_weekly(harness: Harness) -> None:
    with web() as hook:
        telling(harness, {"to": hook.url, "test": "weekly"})
        alerter = Alerter(harness.parts)
        rounds(harness, alerter, after=1.0)
        rounds(harness, alerter, after=6 * 86_400.0)
        assert [one["title"].endswith(": a test") for one in hook.got] == [True]
        harness.reopen(harness.settings)
        rounds(harness, Alerter(harness.parts), after=1.0)
        assert len(hook.got) == 1
        rounds(harness, Alerter(harness.parts), after=86_400.0)
        assert len(hook.got) == 2


def test_mail_is_sent(harness: Harness) -> None:
    with mail() as post:
        to = f"mailto://127.0.0.1:{post.port}?from=syncd@example.com&to=ops@example.com&mode=insecure"
        telling(harness, {"to": to})
        assert harness.run(send(harness.settings, harness.settings.alerts[0], sample_message(" on a host"))) == ""
        [letter] = post.got
        assert "syncd on a host: a test" in letter


def test_an_address_that_apprise_does_not_know_is_told_without_it(harness: Harness) -> None:
    telling(harness, {"to": f"nosuchthing://{SECRET}"})
    why = harness.run(send(harness.settings, harness.settings.alerts[0], sample_message("")))
    assert "Apprise knows no such address" in why
    assert SECRET not in why


def test_the_sender_gets_none_of_our_secrets_by_its_environment(harness: Harness, tmp_path: Path) -> None:
    with web() as hook:
        telling(harness, {"to": hook.url})
        hook.hold = threading.Event()
        os.environ["ZELIQ_API_KEY"] = SECRET

        async def go() -> list[bytes]:
            sending = asyncio.create_task(send(harness.settings, harness.settings.alerts[0], sample_message("")))
            seen: list[bytes] = []
            while not seen:
                await asyncio.sleep(0.02)
                seen = _of_senders("environ")
            cmdlines = _of_senders("cmdline")
            assert hook.hold is not None
            hook.hold.set()
            await sending
            return seen + cmdlines

        try:
            told = b" ".join(harness.run(go()))
        finally:
            del os.environ["ZELIQ_API_KEY"]
        assert b"PATH=" in told
        assert SECRET.encode() not in told
        assert str(hook.port).encode() not in told


def _of_senders(what: str) -> list[bytes]:
    """A file of /proc of each sender that we have started."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            if b"syncd.observe.deliver" in (folder / "cmdline").read_bytes():
                ours = f"PPid:\t{os.getpid()}\n" in (folder / "status").read_text()
                found += [(folder / what).read_bytes()] if ours else []
        except OSError:
            continue
    return found


@pytest.mark.parametrize(
    "wrong", [{"to": "nobody"}, {"to": "json://x", "on": ["weather"]}, {"to": "json://x", "test": "now"}]
)
def test_what_is_no_alert_is_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=r"address for alerts|Input should be"):
        Alert.model_validate(wrong)


def test_n3_alerts_leave_by_the_same_proxy_and_trust_the_same_authorities(harness: Harness, tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    ok = b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n"
    with hostile(lambda sock: sock.sendall(ok), tls=authority.server()) as url, proxy() as (way, seen):
        telling(harness, {"to": f"jsons{url.removeprefix('https')}/hook"})
        [alert] = harness.settings.alerts
        assert "Connection error" in harness.run(send(harness.settings, alert, sample_message("")))
        network = Network(proxy=way, ca_file=authority.file)
        assert harness.run(send(replace(harness.settings, network=network), alert, sample_message(""))) == ""
        assert [line.split()[:2] for line in seen] == [["CONNECT", url.removeprefix("https://")]]


def test_n3_mail_trusts_the_same_authorities(harness: Harness, tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    with mail(tls=authority.server()) as post:
        to = f"mailtos://127.0.0.1:{post.port}?from=syncd@example.com&to=ops@example.com&mode=ssl"
        telling(harness, {"to": to})
        [alert] = harness.settings.alerts
        assert harness.run(send(harness.settings, alert, sample_message(""))) != ""
        network = Network(ca_file=authority.file)
        assert harness.run(send(replace(harness.settings, network=network), alert, sample_message(""))) == ""
        assert len(post.got) == 1


CONFIG = """
ledger: {{ path: ledger.db }}
callbacks: {{ public_url: "https://enrich.example.com", secrets: ["{secret}"] }}
alerts:
  - {{ to: "{good}" }}
  - {{ to: "{bad}" }}
connections:
  crm: {{ connector: hubspot, access_token: "{secret}" }}
  ann: {{ connector: zeliq, api_key: "{secret}" }}
syncs:
  - {{ name: people, crm: crm, object: contacts, every: 15m, fields: {{ email: {{ providers: [ann] }} }} }}
"""


def test_the_command_tries_each_target_and_shows_no_secret(tmp_path: Path) -> None:
    with web() as hook:
        bad = f"json://admin:{SECRET}@127.0.0.1:9/hook"
        text = CONFIG.format(secret="x" * 40, good=hook.url, bad=bad)
        (tmp_path / "config.yaml").write_text(text, "utf-8")
        done = CliRunner().invoke(app, ["alert", "test", "-c", str(tmp_path / "config.yaml")])
        assert done.exit_code == 1
        assert "alerts[0] (json): sent" in done.output
        assert "alerts[1] (json): A Connection error occurred" in done.output
        assert SECRET not in done.output
        assert len(hook.got) == 1
        (tmp_path / "config.yaml").write_text(text.replace(f'  - {{ to: "{bad}" }}\n', ""), "utf-8")
        done = CliRunner().invoke(app, ["alert", "test", "--json", "-c", str(tmp_path / "config.yaml")])
        assert done.exit_code == 0, done.output
        assert '"why": ""' in done.output
        assert len(hook.got) == 2


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ("to: nobody", "alerts[0].to: is no address for alerts"),
        ('to: "json://x", on: [weather]', "alerts[0].on[0]"),
        ('to: "json://x", quiet: "9-5"', "alerts[0].quiet: are no hours of the day"),
        ('to: "json://x", queit: "9-5"', "unknown key; did you mean 'quiet'?"),
    ],
)
def test_what_is_wrong_with_an_alert_is_told_with_its_line(tmp_path: Path, wrong: str, said: str) -> None:
    text = CONFIG.format(secret="x" * 40, good="json://x", bad="json://y")
    file = tmp_path / "config.yaml"
    file.write_text(text.replace('to: "json://x"', wrong), "utf-8")
    with pytest.raises(ConfigError) as raised:
        load(file, {}, registry=Registry())
    told = str(raised.value)
    assert said in told
    assert "config.yaml:5" in told
