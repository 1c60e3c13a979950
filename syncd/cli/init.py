"""The command that writes a first configuration: init."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from syncd.clock import RehearsalClock, SystemClock
from syncd.config import load
from syncd.config.scalars import SafeUrl
from syncd.contract.errors import ConfigError
from syncd.contract.http import Http
from syncd.registry import Registry

from .output import tell
from .setting_up.answers import Answers, unfit
from .setting_up.connections import Connections
from .setting_up.draft import SECRETS, Draft
from .setting_up.files import put, refuse_existing, staged
from .setting_up.interview import drafted

Names = list[str] | None


def add_to(app: typer.Typer) -> None:
    """Register the command."""
    app.command("init", short_help="Answer a few questions, and have a configuration.")(init)


def init(
    config: Annotated[Path, typer.Option("--config", "-c", help="The file to be written.")] = Path("config.yaml"),
    *,
    crm: Annotated[Names, typer.Option(help="A kind of CRM; may be given again.")] = None,
    provider: Annotated[Names, typer.Option(help="A kind of provider, in the order in which they are asked.")] = None,
    kind: Annotated[Names, typer.Option("--object", help="What is looked after in the CRM. Default: all.")] = None,
    fields: Annotated[Names, typer.Option("--field", help="email or phone. Default: both.")] = None,
    given: Annotated[
        Names,
        typer.Option(
            "--set", help="Another answer: zeliq.plan=essential, or where a field lives: hubspot-contacts.phone=phone."
        ),
    ] = None,
    ledger: Annotated[str | None, typer.Option(help="Where the ledger stands, seen from the file.")] = None,
    public_url: Annotated[
        str | None, typer.Option(help='Where providers send their answers; "": they are fetched.')
    ] = None,
    listen: Annotated[str | None, typer.Option(help="Where syncd takes these answers.")] = None,
    admin: Annotated[str | None, typer.Option(help="Where pages and metrics are.")] = None,
    per_day: Annotated[str | None, typer.Option(help='The most credits that a day may cost; "": no limit.')] = None,
    base_url: Annotated[Names, typer.Option(help="Another address of a vendor: hubspot=http://127.0.0.1:8100.")] = None,
    sandbox: Annotated[
        str | None, typer.Option(metavar="URL", help="The control address of a `syncd sandbox`: take its vendors.")
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Ask nothing: take options, environment, defaults.")] = False,
    force: Annotated[bool, typer.Option("--force", help="Write over what is there.")] = False,
) -> None:
    """Ask a few questions, try each key at once, and write a commented configuration that passes `syncd check`.

    Nothing is bought and nothing is written in a CRM. Secrets are never options: they are typed unseen, or taken from
    the environment ($HUBSPOT_ACCESS_TOKEN, $ZELIQ_API_KEY …), and kept in files beside the configuration that only
    this user can read. Ctrl-C leaves nothing behind.

    \b
    Examples:
      syncd init
      syncd init --yes --crm hubspot --provider fullenrich --public-url ""
    """
    refuse_existing([config], force=force)
    if not yes and not sys.stdin.isatty():
        cure = "run it in a terminal, or add --yes and what `syncd init --help` lists"
        raise ConfigError([f"init asks questions, and there is no terminal: {cure}"])
    urls = _pairs(base_url or (), "--base-url")
    for url in (*urls.values(), *([sandbox] if sandbox else ())):
        if why := unfit(SafeUrl, url):
            raise typer.BadParameter(f"{url} {why}")
    box = asyncio.run(_sandbox(sandbox)) if sandbox else {}
    named = {"crm": crm, "provider": provider, "object": kind, "field": fields}
    single = {"ledger": ledger, "public_url": public_url, "listen": listen, "admin": admin, "per_day": per_day}
    told = _pairs(given or (), "--set")
    _refuse_unknown(told)
    known = {
        **_keys(box),
        **{key: ",".join(names) for key, names in named.items() if names},
        **{key: text for key, text in single.items() if text is not None},
        **told,
    }
    answers = Answers(known, os.environ, interactive=not yes)
    urls = {**box.get("urls", {}), **urls}
    clock = RehearsalClock(box["speed"], box["origin"]) if box else SystemClock()
    rehearsal = {key: box[key] for key in ("speed", "origin")} if box else {}
    draft = drafted(Connections(answers, Registry(), clock, urls), rehearsal)
    _write(draft, config, force=force)
    tell(f"\n{config} is written, its secrets are in {config.parent / SECRETS}. Next:")
    for line in ("check", "plan", "run"):
        tell(f"  syncd {line} -c {config}")


async def _sandbox(control: str) -> dict[str, Any]:
    """What an emulated world tells of itself."""
    client = Http(control, {})
    try:
        told = (await client.call("GET", "/info")).json()
    finally:
        await client.aclose()
    if not isinstance(told, dict) or not {"urls", "keys", "speed", "origin"} <= told.keys():
        raise ConfigError([f"{control} is no sandbox's control address; `syncd sandbox` shows it"])
    return told


def _keys(box: Mapping[str, Any]) -> dict[str, str]:
    """The sandbox's keys as answers. A single one is what the first way in, or the connector, asks for."""
    found: dict[str, str] = {}
    registry = Registry()
    for name, key in box.get("keys", {}).items():
        options = registry.kind(name).options
        first = next(iter(options.ways_in.values()), None) or [
            key for key, one in options.model_fields.items() if one.is_required()
        ]
        found |= {
            f"{name}.{part}": value for part, value in (key if isinstance(key, dict) else {first[0]: key}).items()
        }
    return found


def _refuse_unknown(keys: Iterable[str]) -> None:
    """An answer to no question would be left out without a word."""
    names = Registry().names()
    for key in keys:
        who, _, what = key.partition(".")
        if not what or not any(who == name or who.startswith(f"{name}-") for name in names):
            raise typer.BadParameter(f"--set {key}: begin with the name of a connector, and a dot: {', '.join(names)}")


def _pairs(given: Sequence[str], option: str) -> dict[str, str]:
    pairs = [one.partition("=") for one in given]
    if wrong := [key for key, sign, _ in pairs if not sign]:
        raise typer.BadParameter(f"{option} {wrong[0]}: write NAME=VALUE")
    return {key.strip(): value for key, _, value in pairs}


def _write(draft: Draft, config: Path, *, force: bool) -> None:
    """Only what can be read again is put in its place."""
    others = {f"{SECRETS}/{name}": text for name, text in draft.files().items()}
    with staged(config, draft.text(), others) as folder:
        load(folder / config.name, os.environ, registry=Registry())
        put(folder, config, others, force=force)
