"""The whole daemon behind a proxy: every call that leaves goes by it, and it says so when it is gone."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import urlsplit

from tests.connectors.proxying import proxy

from .rig import Daemon, Vendors, answer, assert_right


def test_n3_every_call_of_the_daemon_goes_by_the_proxy(tmp_path: Path) -> None:
    with Vendors(tmp_path, seed=2, options=["--salesforce=8"]) as vendors, proxy() as (way, seen):
        vendors.configure(network={"proxy": way})
        with Daemon(vendors, ("--once",)) as daemon:
            assert daemon.wait() == 0, daemon.tail()
        assert_right(vendors)
        called = {urlsplit(line.split(" ")[1]).port for line in seen}
        urls = {name: urlsplit(url).port for name, url in vendors.info["urls"].items() if name != "control"}
        assert set(urls.values()) | {vendors.listen} <= called, (urls, called)


def test_n3_a_proxy_that_is_gone_is_named_by_check(tmp_path: Path) -> None:
    with proxy() as (way, _):
        pass
    with Vendors(tmp_path, seed=2) as vendors:
        vendors.configure(network={"proxy": way})
        findings = answer("check", "-c", vendors.config, status=1)["findings"]
    errors = {one["where"]: one["what"] for one in findings if one["level"] == "error"}
    assert errors.keys() == {"hubspot", "zeliq", "fullenrich", "callbacks"}
    assert all(f"the proxy {way}: it refused the connection" in what for what in errors.values()), errors
