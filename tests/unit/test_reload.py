"""What a reload keeps and what it looks at again; the whole of it, by signal, is in tests/system/test_reload.py."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from syncd import compose, reload
from syncd.clock import SystemClock
from syncd.config import Settings, load
from syncd.contract.errors import ConfigError
from syncd.ledger.store import Ledger
from syncd.pipeline.gate import UNTRIED
from syncd.pipeline.parts import Parts
from syncd.registry import Registry
from tests.connectors.proxying import Authority

CONFIG = """
ledger: {{ path: ledger.db }}
callbacks: {{ public_url: "{url}", secrets: [a-secret-of-at-least-32-characters-1] }}
connections:
  hubspot: {{ connector: hubspot, access_token: "{token}" }}
  zeliq: {{ connector: zeliq, api_key: "{key}" }}
  fullenrich: {{ connector: fullenrich, api_key: an-old-key }}
syncs:
  - name: people
    crm: hubspot
    object: contacts
    every: 15m
    fields: {{ email: {{ property: {mail}, providers: [zeliq] }} }}
{more}"""
PLAIN = {"url": "https://a.example.com", "token": "a-token", "key": "a-key", "mail": "email", "more": ""}
SECOND = """
  - name: others
    crm: hubspot
    object: contacts
    every: 15m
    match: { list: 7 }
    fields: { email: { property: email, providers: [zeliq] } }
"""


def read(folder: Path, **changes: str) -> tuple[Settings, Registry]:
    path, registry = folder / "config.yaml", Registry()
    path.write_text(CONFIG.format(**{**PLAIN, **changes}))
    return load(path, {}, registry=registry), registry


def reloaded(folder: Path, look: Callable[[Parts, Parts], None], **changes: str) -> None:
    """Parts of a plain configuration, with an open gate, and those after a reload with changes."""

    async def run(then: Callable[[Parts], Awaitable[Parts]]) -> None:
        settings, registry = read(folder)
        parts = await compose.assemble(settings, registry, Ledger.open(settings.ledger.place), SystemClock())
        for watch, sync in list(parts.gate.reasons):
            parts.gate.set(watch, "", sync=sync)
        parts.gate.set("disk", "the disk is full")
        parts.accounts.known.update(settings.connections)
        made = await then(parts)
        look(parts, made)
        await compose.close(made)

    async def change(parts: Parts) -> Parts:
        return await reload.apply(parts, await reload.prepare(parts, lambda: read(folder, **changes)))

    asyncio.run(run(change))


def test_the_same_file_changes_nothing(tmp_path: Path) -> None:
    def look(before: Parts, after: Parts) -> None:
        assert after.crms["hubspot"] is before.crms["hubspot"]
        assert {name: after.lanes[name] is lane for name, lane in before.lanes.items()} == {
            "zeliq": True,
            "fullenrich": True,
        }
        assert after.gate is before.gate
        assert {key for key, _ in after.gate.reasons} == {"disk"}
        assert after.accounts.known == {"hubspot", "zeliq", "fullenrich"}

    reloaded(tmp_path, look)


def test_a_connection_that_changed_is_made_anew_and_seen_anew(tmp_path: Path) -> None:
    def look(before: Parts, after: Parts) -> None:
        assert after.lanes["zeliq"].provider is not before.lanes["zeliq"].provider
        assert after.lanes["fullenrich"] is before.lanes["fullenrich"]
        assert after.crms["hubspot"] is before.crms["hubspot"]
        assert after.accounts.known == {"hubspot", "fullenrich"}
        assert {key for key, _ in after.gate.reasons} == {"disk"}

    reloaded(tmp_path, look, key="another-key")


@pytest.mark.parametrize("change", [{"token": "another-token"}, {"mail": "work_email"}])
def test_of_a_sync_that_writes_otherwise_the_write_right_is_looked_at_again(
    tmp_path: Path, change: dict[str, str]
) -> None:
    def look(_: Parts, after: Parts) -> None:
        assert after.gate.reasons["write_right", "people"].why == UNTRIED["write_right"]
        assert after.gate.reasons["backlog", "people"].why == UNTRIED["backlog"]
        assert after.gate.is_shut("disk")

    reloaded(tmp_path, look, **change)


def test_a_new_sync_buys_nothing_before_its_watches_have_looked_and_the_others_go_on(tmp_path: Path) -> None:
    def look(_: Parts, after: Parts) -> None:
        assert after.gate.is_shut("write_right", "others")
        assert not after.gate.is_shut("write_right", "people")

    reloaded(tmp_path, look, more=SECOND)


def test_another_public_url_is_tried_before_anything_is_bought(tmp_path: Path) -> None:
    def look(_: Parts, after: Parts) -> None:
        assert after.gate.reasons["callbacks", ""].why == UNTRIED["callbacks"]
        assert "b.example.com" in after.addresses.mint("zeliq", "s", expires=9e9)

    reloaded(tmp_path, look, url="https://b.example.com")


def test_with_other_authorities_under_the_same_name_every_connection_is_made_anew(tmp_path: Path) -> None:
    more = "network: { ca_file: ca.pem }"
    Authority(tmp_path)
    settings, registry = read(tmp_path, more=more)

    async def run() -> None:
        parts = await compose.assemble(settings, registry, Ledger.open(settings.ledger.place), SystemClock())
        parts.accounts.known.update(settings.connections)
        Authority(tmp_path)
        made = await reload.apply(parts, await reload.prepare(parts, lambda: read(tmp_path, more=more)))
        assert made.lanes["zeliq"].provider is not parts.lanes["zeliq"].provider
        assert made.accounts.known == set()
        await compose.close(made)

    asyncio.run(run())


def test_reasons_of_a_sync_that_is_gone_are_gone(tmp_path: Path) -> None:
    settings, registry = read(tmp_path, more=SECOND)

    async def run() -> None:
        parts = await compose.assemble(settings, registry, Ledger.open(settings.ledger.place), SystemClock())
        assert parts.gate.is_shut("write_right", "others")
        made = await reload.apply(parts, await reload.prepare(parts, lambda: read(tmp_path)))
        assert {sync for _, sync in made.gate.reasons} == {"", "people"}
        await compose.close(made)

    asyncio.run(run())


def test_what_is_refused_is_told_all_at_once_and_changes_nothing(tmp_path: Path) -> None:
    async def run() -> None:
        settings, registry = read(tmp_path)
        parts = await compose.assemble(settings, registry, Ledger.open(settings.ledger.place), SystemClock())

        def wrong() -> tuple[Settings, Registry]:
            path = tmp_path / "config.yaml"
            text = CONFIG.format(**PLAIN).replace("path: ledger.db", "path: other.db")
            path.write_text(text + "admin: { listen: 127.0.0.1:9999 }\n")
            return load(path, {}, registry=Registry()), Registry()

        with pytest.raises(ConfigError) as refused:
            await reload.prepare(parts, wrong)
        assert [problem.partition(":")[0] for problem in refused.value.problems] == ["ledger.path", "admin.listen"]
        await compose.close(parts)

    asyncio.run(run())
