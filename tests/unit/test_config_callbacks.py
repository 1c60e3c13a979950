"""`callbacks` may be left out where every answer can be fetched, and a host that can't call itself may say so."""

from __future__ import annotations

from pathlib import Path

import pytest

from syncd.config import Settings, load
from syncd.contract.errors import ConfigError
from syncd.registry import Registry

POLLED = """\
ledger: { path: ledger.db }
connections:
  hub: { connector: hubspot, access_token: "${HUB}" }
  full: { connector: fullenrich, api_key: "${FULL}" }
  zeliq: { connector: zeliq, api_key: "${ZELIQ}" }
syncs:
  - name: people
    crm: hub
    object: contacts
    every: 15m
    fields: { email: { providers: [full] } }
"""
CALLBACKS = 'callbacks: { public_url: https://a.example, secrets: ["${SIGN}"], self_check: false }\n'


def read(tmp_path: Path, text: str) -> Settings:
    path = tmp_path / "c.yaml"
    path.write_text(text)
    environ = {"HUB": "hub-canary", "FULL": "full-canary", "ZELIQ": "zeliq-canary", "SIGN": "s" * 32}
    return load(path, environ, registry=Registry())


def test_n10_callbacks_may_be_left_out_where_every_provider_can_be_polled(tmp_path: Path) -> None:
    settings = read(tmp_path, POLLED)
    assert settings.callbacks is None
    assert settings.warnings == ()


def test_n10_but_not_where_a_sync_asks_one_that_only_calls_back(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        read(tmp_path, POLLED.replace("[full]", "[full, zeliq]"))
    what = "zeliq answers by callback alone; add the section callbacks, as in config.example.yaml"
    assert caught.value.problems == (f"{tmp_path}/c.yaml:11: syncs[0].fields.email.providers[1]: {what}",)


def test_n10_a_host_that_can_t_call_itself_starts_with_few_purchases(tmp_path: Path) -> None:
    (usual,) = read(tmp_path, CALLBACKS.replace(", self_check: false", "") + POLLED).syncs
    (here,) = read(tmp_path, CALLBACKS + POLLED).syncs
    (moved,) = read(tmp_path, CALLBACKS.replace("a.example", "b.example") + POLLED).syncs
    assert len({usual.writing, here.writing, moved.writing}) == 3, "with another address, a first write is waited for"
    with pytest.raises(ConfigError, match=r"c.yaml:12: syncs\[0\].buy_before_write: must be 1 or more"):
        read(tmp_path, CALLBACKS + POLLED.replace("every: 15m", "every: 15m\n    buy_before_write: 0"))
