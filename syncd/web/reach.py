"""Can callbacks reach us? For `syncd check`, whether or not the daemon is running."""

from __future__ import annotations

import secrets
from urllib.parse import urlsplit

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from syncd.config import Callbacks, Settings
from syncd.contract.errors import ConfigError, Retry
from syncd.contract.http import Http
from syncd.contract.model import Finding, Level
from syncd.contract.network import Network

from .listener import Listener

WITHIN = 10.0


async def public_url_findings(settings: Settings) -> list[Finding]:
    """Listen where the daemon would and knock at the public URL; a running daemon answers for itself."""
    callbacks = settings.callbacks
    if callbacks is None:
        return [Finding(level=Level.OK, what="there are none: all answers are fetched")]
    url, nonce = callbacks.public_url, secrets.token_hex(8)
    if not callbacks.self_check:
        what = f"{url} is not tried from here (self_check: false): the first answers have to show that it works"
        return [Finding(level=Level.OK, what=what)]
    arrived: list[str] = []

    async def knock(request: Request) -> Response:
        arrived.append(request.path_params["nonce"])
        return Response(status_code=200)

    try:
        listener = Listener(Starlette(routes=[Route("/callbacks/check-{nonce}", knock)]), callbacks.listen)
    except ConfigError:
        return [await _daemon_finding(settings, callbacks)]
    await listener.start()
    try:
        answer = await _get(f"{url}/callbacks/check-{nonce}", settings.network)
    finally:
        await listener.stop()
    if nonce in arrived:
        return [Finding(level=Level.OK, what=f"callbacks reach syncd through {url}")]
    return [_unreachable(url, answer)]


async def _daemon_finding(settings: Settings, callbacks: Callbacks) -> Finding:
    """The port is taken: by a running syncd, whose own canary knows, or by something else."""
    listen, url = callbacks.listen, callbacks.public_url
    answer = await _get(f"http://{settings.admin.listen}/healthz", Network())
    if not answer.startswith("HTTP"):
        return Finding(
            level=Level.ERROR,
            what=f"{listen.host}:{listen.port} is in use, and not by a running syncd",
            cure="Stop what listens there (ss -ltnp shows it), or choose another callbacks.listen.",
            code="host-port",
        )
    path = await _get(f"{url}/healthz", settings.network)
    if path == "HTTP 200":
        return Finding(level=Level.OK, what=f"syncd is running, and {url} answers; `syncd status` shows its own canary")
    return _unreachable(url, path)


def _unreachable(url: str, answer: str) -> Finding:
    return Finding(
        level=Level.ERROR,
        what=f"callbacks can't reach syncd through {url} ({answer})",
        cure=f"Point DNS, proxy and certificate of {urlsplit(url).netloc} at callbacks.listen; "
        "nothing is bought until then.",
        code="connection-unreachable",
    )


async def _get(url: str, network: Network) -> str:
    """`HTTP <status>`, or why there is none."""
    client = Http(url, {}, network=network)
    try:
        return f"HTTP {(await client.call('GET', '', within=WITHIN)).status}"
    except Retry as error:
        return str(error).removeprefix("GET : ")
    finally:
        await client.aclose()
