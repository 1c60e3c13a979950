"""The command about alerts: alert test."""

from __future__ import annotations

import asyncio

import typer

from syncd.config import Settings
from syncd.observe.alerts import name_of, sample_message
from syncd.observe.sending import host, send

from .output import ConfigOption, JsonOption, complain, print_json, say, settings_from

alert_app = typer.Typer(no_args_is_help=True, help="Who is told when something is wrong.")


def add_to(app: typer.Typer) -> None:
    """Register the commands."""
    alert_app.command("test")(send_samples)
    app.add_typer(alert_app, name="alert")


def send_samples(config: ConfigOption = None, *, as_json: JsonOption = False) -> None:
    """Send a message to each target of `alerts`, and say whether it was taken. Exit 1 if one was not.

    \b
    Example:
      syncd alert test
    """
    settings, _ = settings_from(config)
    if not settings.alerts:
        complain(["the configuration has no `alerts`; see config.example.yaml"], "configuration")
        raise typer.Exit(1)
    came = asyncio.run(_send(settings))
    if as_json:
        print_json({"ok": not any(came.values()), "targets": [{"target": n, "why": why} for n, why in came.items()]})
    else:
        for name, why in came.items():
            say(name, f": {why or 'sent'}", style="red" if why else "green")
    raise typer.Exit(1 if any(came.values()) else 0)


async def _send(settings: Settings) -> dict[str, str]:
    """By target: why it did not take the message, or ""."""
    message = sample_message(host())
    whys = await asyncio.gather(*(send(settings, one, message) for one in settings.alerts))
    return {name_of(n, one): why for n, (one, why) in enumerate(zip(settings.alerts, whys, strict=True))}
