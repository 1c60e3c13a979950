"""Nothing of the population and no key is seen where it need not be: logs, command lines, metrics."""

import re
from pathlib import Path

import httpx
import yaml

from .rig import Daemon, Vendors, ask


def test_nobody_and_no_key_in_logs_command_lines_and_metrics(tmp_path: Path) -> None:
    faults = [
        "zeliq_error_after:2:500",
        "zeliq_callback_garbage:3",
        "fullenrich_signature_wrong:2",
        "hubspot_read_error:1",
    ]
    with Vendors(tmp_path, seed=2, contacts=60, faults=faults) as vendors:
        vendors.configure(log={"level": "debug"}, admin={"token": "t" * 30 + "-admin"})
        with Daemon(vendors) as daemon:
            daemon.said("started")
            command = Path(f"/proc/{daemon.process.pid}/cmdline").read_text("utf-8").replace("\0", " ")
            daemon.wait_for("the end of it", lambda: ask(vendors.ledger, "SELECT count(*) FROM write") > 20)
            assert daemon.api("/metrics").status_code == 401
            metrics = daemon.api("/metrics", authorization=f"Bearer {'t' * 30}-admin").raise_for_status().text
            assert daemon.terminate() == 0
        places = {"log": daemon.log.read_text("utf-8"), "argv": command, "metrics": metrics}
        assert "debug" in places["log"]
        secrets = canaries(vendors)
        assert len(secrets) > 200
        found = {(place, one) for place, text in places.items() for one in secrets if _seen(one, text)}
        assert found == set()


def canaries(vendors: Vendors) -> set[str]:
    """Whatever identifies a person or gives access."""
    settings = yaml.safe_load(vendors.config.read_text("utf-8"))
    url, token = settings["connections"]["hubspot"]["base_url"], settings["connections"]["hubspot"]["access_token"]
    properties = ["firstname", "lastname", "email", "phone", "mobilephone", "hs_linkedin_url"]
    body = {"limit": 200, "properties": properties}
    headers = {"authorization": f"Bearer {token}"}
    answer = httpx.post(f"{url}/crm/v3/objects/contacts/search", json=body, headers=headers, trust_env=False)
    values = {
        value.strip()
        for contact in answer.raise_for_status().json()["results"]
        for name, value in contact["properties"].items()
        if name in properties and value
    }
    numbers = {re.sub(r"\D", "", value)[-9:] for value in values if value.startswith("+")}
    profiles = {value.rpartition("/in/")[2] for value in values if "/in/" in value}
    keys = {*vendors.keys(), *settings["callbacks"]["secrets"], settings["admin"]["token"]}
    return {one for one in values | numbers | profiles | keys if len(one) > 1}


def _seen(canary: str, text: str) -> bool:
    """As a word of its own; names may be parts of other words."""
    return re.search(rf"(?<!\w){re.escape(canary)}(?!\w)", text, re.IGNORECASE) is not None
