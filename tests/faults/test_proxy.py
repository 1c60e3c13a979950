"""deploy/nginx.conf: nginx takes it, callbacks go through it, and what it writes down is worth nothing to anybody."""

from __future__ import annotations

import asyncio
import re
import shutil
from pathlib import Path

import pytest
import yaml

from connectors import fullenrich
from syncd.web import public
from syncd.web.listener import HEAD_DEADLINE
from tests.system.rig import free_port

from . import proxy
from .client import Client, asked_harness, opened, with_vendors
from .process import ROOT, Site, answer, site
from .test_restart import terminate

needs_nginx = pytest.mark.skipif(not proxy.possible(), reason="nginx or openssl is not installed")
LARGE = 20_000  # bytes; above 16 KB nginx keeps a body in a file
SECRETS = ("contactId", "m=", "?")


def test_it_agrees_with_what_it_stands_before() -> None:
    """The port, the largest callback and the patience are the daemon's own."""
    listen = yaml.safe_load((ROOT / "config.example.yaml").read_text("utf-8"))["callbacks"]["listen"]
    largest = max(public.BODY_LIMIT, fullenrich._CAPABILITIES.body_limit)
    assert set(told("proxy_pass")) == {f"http://{listen}"}
    assert told("client_max_body_size") == [f"{largest >> 20}m"]
    assert told("client_header_timeout") == [f"{HEAD_DEADLINE:g}s"]
    assert told("client_body_timeout") == [f"{public.BODY_DEADLINE:g}s"]


def test_what_it_writes_down_has_no_query_string() -> None:
    [written] = told("log_format")
    assert set(re.findall(r"\$\w+", written)).isdisjoint({"$request", "$request_uri", "$args", "$query_string"})
    assert told("access_log") == ["/var/log/nginx/syncd.log syncd"], "in this format"


def told(directive: str) -> list[str]:
    """What the shipped file says after a directive, each time that it stands there."""
    return re.findall(rf"^ *{directive} (.+?);", proxy.SHIPPED.read_text("utf-8"), re.MULTILINE)


@needs_nginx
def test_nginx_takes_every_line(tmp_path: Path) -> None:
    assert proxy.proxy(tmp_path / "nginx", free_port()).judged() == ""


@needs_nginx
def test_a_termination_behind_it_refuses_nobody(tmp_path: Path) -> None:
    """I1: who calls nginx sees nothing of a restart."""
    with site(tmp_path, 40) as here:
        behind(here, 1)


def behind(here: Site, times: int) -> int:
    """So many terminations behind nginx; returns how many callbacks there were."""
    made = proxy.proxy(here.folder / "nginx", here.client.port)
    assert made.judged() == ""
    with proxy.running(made) as client:
        sent = terminate(here, times, client)
    written = (made.folder / "syncd.log").read_text("utf-8")
    assert written.count("POST /callbacks/zeliq 200") == sent
    assert not [word for word in SECRETS if word in made.logs()]
    return sent


@needs_nginx
def test_what_it_lets_in(tmp_path: Path) -> None:
    """The largest callback of a vendor, and no other address; a refusal comes back as the daemon said it."""
    harness, urls = asked_harness(tmp_path, 2, "fullenrich")
    harness.parts = with_vendors(harness.parts)

    async def main() -> list[int]:
        async with opened(harness.parts) as inner:
            with proxy.running(proxy.proxy(tmp_path / "nginx", inner.port)) as client:
                health = await client.raw(b"GET /healthz HTTP/1.1\r\nhost: x.test\r\nconnection: close\r\n\r\n")
                return [health.status, *[(await client.post(url, body)).status for url, body in wanted]]

    large = answer(1, padding=(16 << 20) - 1_000)
    wanted = [
        (urls[0], large),
        (urls[0] + "0", b"{}"),
        ("/healthz", b""),
        ("/metrics", b""),
        ("/callbacks/../metrics", b""),
    ]
    with harness:
        assert harness.run(main()) == [200, 401, 404, 404, 404, 404]  # nobody signed it: it was read


@needs_nginx
def test_its_logs_tell_no_address(tmp_path: Path) -> None:
    """Privacy: not even while the daemon is not there, or nginx's own disk fails."""
    made = proxy.proxy(tmp_path / "nginx", free_port())
    url = "https://x.test/callbacks/zeliq?contactId=501&m=0123"

    async def main(client: Client) -> list[int]:
        nobody_there = await client.post(url, b"{}")
        shutil.rmtree(made.folder / "body")
        return [nobody_there.status, (await client.post(url, b"x" * LARGE)).status]

    with proxy.running(made) as client:
        assert asyncio.run(main(client)) == [502, 502]
    assert "POST /callbacks/zeliq 502" in made.logs()
    assert not [word for word in SECRETS if word in made.logs()]
