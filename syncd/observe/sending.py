"""Sends a message by a process of its own, which is ended when it takes too long: see `deliver`."""

from __future__ import annotations

import asyncio
import json
import os
import socket
import sys
from contextlib import suppress

from syncd.config import Alert, Settings
from syncd.log import Redaction

from .alerts import Message

WITHIN = 45.0  # seconds
KEPT = ("PATH", "HOME", "LANG", "LC_ALL", "TZ", "TMPDIR", "PYTHONPATH", "DBUS_SESSION_BUS_ADDRESS")


async def send(settings: Settings, alert: Alert, message: Message, *, within: float = WITHIN) -> str:
    """Why it was not sent, or "". No secret is in that."""
    url = alert.to.get_secret_value()
    redaction = Redaction({*settings.secrets, url})
    title, *lines = (str(redaction.value("why", line)) for line in [message.title, *message.body.splitlines()])
    told = json.dumps({"url": url, "title": title, "body": "\n".join(lines)}).encode()
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "syncd.observe.deliver",
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.PIPE,
        env=_environment(settings),
    )
    try:
        async with asyncio.timeout(within):
            _, why = await process.communicate(told)
    except TimeoutError:
        return f"it was not taken within {within:g} s"
    finally:
        if process.returncode is None:
            with suppress(ProcessLookupError):
                process.kill()
            await process.wait()
    if process.returncode == 0:
        return ""
    said = why.decode("utf-8", "replace").strip() or f"the sender ended with {process.returncode}"
    return str(redaction.value("why", said))


def host() -> str:
    """Where this runs, as titles say it."""
    return f" on {socket.gethostname()}"


def _environment(settings: Settings) -> dict[str, str]:
    """None of our secrets, which may stand in our own; the way to the outside as configured."""
    kept = {name: os.environ[name] for name in KEPT if name in os.environ}
    proxy, ca_file = settings.network.proxy, settings.network.ca_file
    kept |= {"HTTP_PROXY": proxy, "HTTPS_PROXY": proxy} if proxy else {}
    return kept | ({"REQUESTS_CA_BUNDLE": str(ca_file)} if ca_file else {})
