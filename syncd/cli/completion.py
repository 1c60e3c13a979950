"""The command that completes what is typed: completion. And what it proposes beside commands and options."""

from __future__ import annotations

import os
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

VARIABLE = "_SYNCD_COMPLETE"


class Shell(StrEnum):
    BASH = "bash"
    ZSH = "zsh"
    FISH = "fish"


def add_to(app: typer.Typer) -> None:
    """Register the command."""
    app.command("completion", short_help="What a shell needs to complete commands.")(completion)


def completion(shell: Annotated[Shell, typer.Argument(help="Your shell.")]) -> None:
    """Print what a shell needs to complete commands, options, and the names in your configuration.

    \b
    Examples:
      syncd completion bash > /etc/bash_completion.d/syncd
      syncd completion zsh  > /usr/local/share/zsh/site-functions/_syncd
      syncd completion fish > ~/.config/fish/completions/syncd.fish
    """
    from typer._completion_shared import get_completion_script  # noqa: PLC0415 - only here

    script = get_completion_script(prog_name="syncd", complete_var=VARIABLE, shell=shell.value)
    typer.echo(script.removeprefix("\n"))


def connections(context: typer.Context, incomplete: str) -> list[str]:
    """The names of connections that begin like this."""
    return _beginning(_raw(context).get("connections"), incomplete)


def syncs(context: typer.Context, incomplete: str) -> list[str]:
    """The names of syncs that begin like this."""
    found = _raw(context).get("syncs")
    named = [one.get("name") for one in found if isinstance(one, dict)] if isinstance(found, list) else []
    return _beginning(named, incomplete)


def syncs_and_connections(context: typer.Context, incomplete: str) -> list[str]:
    """Both, for what can be a sync or a provider."""
    return [*syncs(context, incomplete), *connections(context, incomplete)]


def _beginning(names: Any, incomplete: str) -> list[str]:
    told = names if isinstance(names, dict | list) else ()
    return [name for name in told if isinstance(name, str) and name.startswith(incomplete)]


def _raw(context: typer.Context) -> dict[str, Any]:
    """The configuration as it is written: a proposal need not be checked, and must be quick."""
    import yaml  # noqa: PLC0415 - only here

    given = context.params.get("config")
    places = [given, os.environ.get("SYNCD_CONFIG"), "config.yaml", "/etc/syncd/config.yaml"]
    for place in filter(None, places):
        try:
            raw = yaml.load(Path(place).read_bytes(), getattr(yaml, "CSafeLoader", yaml.SafeLoader))  # noqa: S506
        except (OSError, yaml.YAMLError):
            continue
        return raw if isinstance(raw, dict) else {}
    return {}
