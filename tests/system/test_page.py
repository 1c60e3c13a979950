"""The operator's page and its neighbours on the private listener."""

import re
from html.parser import HTMLParser
from pathlib import Path

from prometheus_client.parser import text_string_to_metric_families

from .rig import Daemon, Vendors, ask

WRITTEN = "SELECT count(*) FROM job WHERE reason = 'written'"


class _Balanced(HTMLParser):
    """Notes elements that are not closed in order, and the text."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.text: list[str] = []

    def handle_starttag(self, tag: str, _: list[tuple[str, str | None]]) -> None:
        if tag not in {"meta", "br", "link", "input"} and not (self.get_starttag_text() or "").endswith("/>"):
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """It is closed where it is opened."""

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text.append(data)


def test_the_page_tells_where_everything_stands(tmp_path: Path) -> None:
    with Vendors(tmp_path, seed=2, contacts=60, faults=["zeliq_blocked:*"]) as vendors, Daemon(vendors) as daemon:
        daemon.wait_for("something written", lambda: ask(vendors.ledger, WRITTEN))
        page = daemon.api("/")
        reader = _Balanced()
        reader.feed(page.text)
        assert reader.open == []
        text = " ".join(reader.text)
        for word in ("zeliq is halted", "Ask Zeliq's support", "Needs you", "Last runs", "written", "fullenrich"):
            assert word in text
        assert page.headers["content-security-policy"].startswith("default-src 'none'")
        assert not re.search(r"(?:src|href|action)=\"(?!/)(?!#)", page.text), "nothing from elsewhere"
        assert "zeliq" in daemon.api("/readyz").text
        assert daemon.api("/healthz").text == "ok\n"
        assert daemon.api("/", host="elsewhere.example.com").status_code == 400
        assert daemon.api("/api/status").json()["connections"]["zeliq"]["trouble"] == "blocked"


def test_the_metrics_are_prometheus_own_format(tmp_path: Path) -> None:
    with Vendors(tmp_path, seed=2) as vendors, Daemon(vendors) as daemon:
        daemon.wait_for("something written", lambda: ask(vendors.ledger, WRITTEN))
        families = {one.name: one for one in text_string_to_metric_families(daemon.api("/metrics").text)}
        assert {"syncd_jobs", "syncd_outside_call_seconds", "process_resident_memory_bytes"} <= families.keys()
        assert [name for name, one in families.items() if not one.documentation or one.type == "unknown"] == []
