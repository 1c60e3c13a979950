"""`syncd demo`: what it prints, and that its verdict can be the other one."""

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml

from syncd.demo import waiting_lines

from .rig import Vendors, answer, environment, syncd, until

FLAWS = ("missed", "wrong", "discarded", "bought_twice", "overwritten", "unverified")
COUNTS = {"contacts", "written", *FLAWS}


def test_it_ends_well_and_says_so_as_one_object(tmp_path: Path) -> None:
    report = answer("demo", "--contacts", "60", "--folder", tmp_path / "demo")
    assert report["ok"] is True
    assert report.keys() >= COUNTS | {"seconds", "credits", "calls"}
    assert report["contacts"] >= 60  # and those of the other CRM
    assert report["written"] > 0
    assert {name: report[name] for name in FLAWS} == dict.fromkeys(FLAWS, 0)
    assert report["review"].keys() == {"waiting", "right", "strangers", "why"}
    assert report["credits"]["ledger"] == report["credits"]["billed"] > 0
    assert {"hubspot", "zeliq", "fullenrich"} <= report["calls"].keys()
    assert all(report["calls"][name] > 0 for name in ("hubspot", "zeliq", "fullenrich"))


def test_a_person_reads_the_same_without_colours_or_broken_lines(tmp_path: Path) -> None:
    done = syncd("demo", "--contacts", "20", "--folder", tmp_path / "demo", "--speed", "120")
    assert done.returncode == 0, done.stderr
    assert done.stdout.rstrip().endswith("All as it should be.")
    assert "\x1b" not in done.stdout + done.stderr
    assert "0 missed, 0 wrong, 0 discarded, 0 bought twice, 0 overwritten, 0 unverified" in " ".join(
        done.stdout.split()
    )
    assert "No value waits for review." in done.stdout
    assert re.search(rf"(?m)^.*ledger is {re.escape(str(tmp_path / 'demo' / 'ledger.db'))}\b", done.stdout)


def test_what_waits_for_review_is_told_with_its_reasons() -> None:
    nothing = {"waiting": 0, "right": 0, "strangers": 0, "why": {}}
    assert waiting_lines(nothing) == ["No value waits for review."]
    why = {"another handle": 2, "another domain, another mailbox": 1}
    assert waiting_lines({"waiting": 3, "right": 2, "strangers": 1, "why": why}) == [
        "Waiting for review: 3 (2 right, 1 of somebody else)",
        "  2: another handle",
        "  1: another domain, another mailbox",
    ]


@pytest.mark.parametrize("spoil", ["a value is overwritten", "somebody else buys"])
def test_the_verdict_can_fail(tmp_path: Path, spoil: str) -> None:
    config = tmp_path / "demo" / "config.yaml"
    command = [sys.executable, "-m", "syncd", "demo", "--contacts=60", "--json", f"--folder={config.parent}"]
    with subprocess.Popen(command, env=environment(), stdout=subprocess.PIPE, text=True) as demo:
        text = until("a configuration", lambda: config.read_text("utf-8") if config.exists() else "")
        (_overwrite if spoil == "a value is overwritten" else _buy)(yaml.safe_load(text)["connections"])
        printed, _ = demo.communicate(timeout=60)
    report = json.loads(printed)
    assert (report["ok"], demo.returncode) == (False, 1)
    if spoil == "a value is overwritten":
        assert report["overwritten"] == 1
    else:
        assert report["credits"]["billed"] > report["credits"]["ledger"]


def _complete(connections: dict[str, Any], *properties: str) -> list[dict[str, Any]]:
    """Contacts that have all of these."""
    hubspot = connections["hubspot"]
    filters = [{"propertyName": name, "operator": "HAS_PROPERTY"} for name in properties]
    body = {"filterGroups": [{"filters": filters}], "properties": properties, "limit": 20}
    headers = {"authorization": f"Bearer {hubspot['access_token']}"}
    with httpx.Client(base_url=hubspot["base_url"], headers=headers, trust_env=False) as client:
        found = client.post("/crm/v3/objects/contacts/search", json=body).raise_for_status().json()["results"]
        return [{"id": one["id"], **one["properties"]} for one in found]


def _overwrite(connections: dict[str, Any]) -> None:
    """Another integration replaces somebody's number."""
    hubspot, contact = connections["hubspot"], _complete(connections, "email", "phone")[0]
    inputs = [{"id": contact["id"], "properties": {"phone": "+442079460998"}}]
    headers = {"authorization": f"Bearer {hubspot['access_token']}"}
    url = f"{hubspot['base_url']}/crm/v3/objects/contacts/batch/update"
    httpx.post(url, json={"inputs": inputs}, headers=headers, trust_env=False).raise_for_status()


def _buy(connections: dict[str, Any]) -> None:
    """Another program uses the same key at Zeliq."""
    zeliq = connections["zeliq"]
    with httpx.Client(base_url=zeliq["base_url"], headers={"x-api-key": zeliq["api_key"]}, trust_env=False) as client:
        for contact in _complete(connections, "email", "phone")[:8]:
            body = {"email": contact["email"], "callbackUrl": "https://elsewhere.example.com/"}
            client.post("/api/contact/enrich/phone", json=body).raise_for_status()


def test_it_takes_nobody_elses_folder(tmp_path: Path) -> None:
    (tmp_path / "config.yaml").write_text("ledger: {path: /var/lib/syncd/ledger.db}\n", "utf-8")
    (tmp_path / "notes.txt").write_text("mine", "utf-8")
    done = syncd("demo", "--contacts", "1", "--folder", tmp_path)
    assert done.returncode == 78
    assert "choose another --folder" in done.stderr
    assert {"config.yaml", "notes.txt"} <= {path.name for path in tmp_path.iterdir()}


def test_a_pull_goes_past_the_window_of_ten_thousand(tmp_path: Path) -> None:
    with Vendors(tmp_path, contacts=16_000, seed=2) as vendors:
        planned = answer("plan", "-c", vendors.config, "--list", "--limit", "100000")
        contacts = {job["contact"] for job in planned["jobs"]}
        searches = vendors.get("calls")["hubspot"]["search"]
    sys.stdout.write(f"{len(contacts)} contacts in {searches} search calls\n")
    assert len(contacts) > 10_000
    assert searches <= 1 + len(contacts) / 200 + 10
