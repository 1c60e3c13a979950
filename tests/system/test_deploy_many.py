"""deploy/many: what stands there fits together, as far as it can be told without starting it: `tests/many` does."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from syncd.observe.metrics import METRICS
from syncd.orders import Role

ROOT = Path(__file__).parents[2]
MANY = ROOT / "deploy" / "many"
PATRONI = {"patroni_sync_standby", "patroni_primary"}  # tests/many/test_hosts.py asks a real one
SERIES = 'patroni_{}{{job="patroni", name="{}"}}'


def read(name: str) -> Any:
    return yaml.safe_load((MANY / name).read_text("utf-8"))


def test_the_composition_is_three_ledgers_two_receivers_two_workers_and_a_balancer() -> None:
    services = read("compose.yaml")["services"]
    assert set(services) == {
        *(f"{kind}-{host}" for kind in ("etcd", "ledger") for host in "abc"),
        *(f"{kind}-{host}" for kind in ("receiver", "worker") for host in "ab"),
        "haproxy",
    }
    for name, one in services.items():
        assert one["cap_drop"] == ["ALL"], name
        assert one["security_opt"] == ["no-new-privileges:true"], name
        if (role := name.partition("-")[0]) in {*Role}:
            assert one["command"][:3] == ["run", "--role", role]
            assert one["read_only"]
            assert one["build"]["args"]["LOCK"] == "postgres"
        if name.startswith("receiver"):
            assert any(volume.endswith(":/var/lib/syncd") for volume in one["volumes"]), "its spool outlives it"
    peers = {one["environment"]["ETCD_INITIAL_CLUSTER"] for name, one in services.items() if name.startswith("etcd")}
    assert len(peers) == 1
    assert read("compose.yaml")["secrets"].keys() == set(services["worker-a"]["secrets"])


def test_each_file_that_the_page_names_is_there() -> None:
    page = (MANY / "README.md").read_text("utf-8")
    named = set(re.findall(r"^\| `([^`]+)` \|", page, flags=re.MULTILINE))
    assert named == {one.name for one in MANY.iterdir()} - {"README.md"}


def test_a_commit_counts_once_a_second_host_has_it() -> None:
    settings = read("patroni.yml")["bootstrap"]["dcs"]
    assert settings["synchronous_mode"]
    assert settings["synchronous_mode_strict"]
    assert settings["postgresql"]["parameters"]["synchronous_commit"] == "on"
    assert settings["loop_wait"] + 2 * settings["retry_timeout"] <= settings["ttl"], "Patroni asks for that"


def test_the_rules_ask_for_metrics_that_there_are() -> None:
    rules = read("prometheus-rules.yaml")["groups"][0]["rules"]
    asked = {name for rule in rules for name in re.findall(r"\b(?:syncd|patroni)_\w+", rule["expr"])}
    assert asked - PATRONI <= {one.name for one in METRICS}
    assert asked >= PATRONI
    if shutil.which("promtool"):
        subprocess.run(["promtool", "check", "rules", MANY / "prometheus-rules.yaml"], check=True, capture_output=True)


@pytest.mark.skipif(shutil.which("promtool") is None, reason="promtool is not installed")
@pytest.mark.parametrize(
    ("primaries", "standbys", "alerts"),
    [
        ("a", "b", set()),
        ("", "", {"SyncdNoPrimary", "SyncdNoSynchronousStandby"}),
        ("ab", "c", {"SyncdNoPrimary"}),
        ("a", "", {"SyncdNoSynchronousStandby"}),
        (None, None, {"SyncdNoPrimary", "SyncdNoSynchronousStandby"}),
    ],
    ids=["all is well", "no primary", "two primaries", "no standby", "Patroni says nothing"],
)
def test_an_alert_is_raised_for(tmp_path: Path, primaries: str | None, standbys: str | None, alerts: set[str]) -> None:
    """As Prometheus sees it; None where nobody answers it."""
    told = {"primary": primaries, "sync_standby": standbys}
    series = [
        {"series": SERIES.format(kind, host), "values": f"{int(host in hosts)}x5"}
        for kind, hosts in told.items()
        if hosts is not None
        for host in "abc"
    ]
    rules = read("prometheus-rules.yaml")["groups"][0]["rules"]
    expected = [
        {
            "alertname": rule["alert"],
            "eval_time": "3m",
            "exp_alerts": [{"exp_labels": rule["labels"], "exp_annotations": rule["annotations"]}]
            if rule["alert"] in alerts
            else [],
        }
        for rule in rules
        if PATRONI & set(re.findall(r"\w+", rule["expr"]))
    ]
    test = {"interval": "1m", "input_series": series, "alert_rule_test": expected}
    file = tmp_path / "test.yaml"
    file.write_text(yaml.safe_dump({"rule_files": [str(MANY / "prometheus-rules.yaml")], "tests": [test]}), "utf-8")
    done = subprocess.run(["promtool", "test", "rules", file], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.skipif(shutil.which("haproxy") is None, reason="haproxy is not installed")
def test_haproxy_takes_its_configuration() -> None:
    told = {"BIND": "127.0.0.1:8443", "RECEIVER_A": "127.0.0.1:1", "RECEIVER_B": "127.0.0.1:2", "PATH": "/usr/sbin"}
    subprocess.run(["haproxy", "-c", "-f", MANY / "haproxy.cfg"], env=told, check=True, capture_output=True)
