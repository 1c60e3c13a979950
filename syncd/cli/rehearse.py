"""Commands that need no account anywhere: demo, sandbox."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from syncd import demo as rehearsal
from syncd.contract.errors import ConfigError
from syncd.sandbox.server import Sandbox, options_help

from .output import JsonOption, err, out, pasteable, print_json, table, tell
from .work import only_daemon

SeedOption = Annotated[int, typer.Option(help="Another seed is another population.")]
SpeedOption = Annotated[
    float, typer.Option(min=1.0, max=600.0, help="How many seconds of the vendors' time pass in one.")
]


def add_to(app: typer.Typer) -> None:
    """Register the commands."""
    app.command("demo", short_help="See it all work, against emulated vendors.")(demo)
    app.command("sandbox", short_help="Emulated vendors, to rehearse a configuration.")(sandbox)


def demo(
    *,
    contacts: Annotated[
        int, typer.Option(min=1, max=200_000, help="How many contacts HubSpot holds; Salesforce has 4 for each 10.")
    ] = 1000,
    seed: SeedOption = 1,
    speed: SpeedOption = 60.0,
    folder: Annotated[Path, typer.Option(help="Where the demo keeps its ledger, configuration and log.")] = Path(
        "demo"
    ),
    serve: Annotated[bool, typer.Option("--serve", help="Keep running afterwards, until Ctrl-C.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Run the whole job once, for real, against emulated vendors on this machine.

    Pulls what lacks an e-mail or a phone from both CRMs, buys from both providers, takes the callbacks,
    writes back, and compares the CRMs with the known truth. Exit 0 only if nothing is missed, wrong,
    overwritten or unverified, and the ledger's credits equal what the providers billed.

    \b
    Examples:
      syncd demo --contacts 25000
      syncd demo --serve           then look at the operator's page
    """
    todo = rehearsal.Plan(contacts=contacts, seed=seed, speed=speed, folder=folder, serve=serve)
    with only_daemon(folder / "ledger.db"):
        report = rehearsal.run(todo, quiet=as_json)
    if as_json:
        print_json(report)
    else:
        rehearsal.present(report, out, pasteable)
    raise typer.Exit(0 if report["ok"] else 1)


def sandbox(
    *,
    contacts: Annotated[int, typer.Option(min=0, max=200_000, help="How many contacts HubSpot holds.")] = 1000,
    salesforce: Annotated[
        int,
        typer.Option(
            min=0, max=200_000, help="How many contacts Salesforce holds; 0: it is left out of the configuration."
        ),
    ] = 0,
    leads: Annotated[int, typer.Option(min=0, max=200_000, help="How many leads Salesforce holds.")] = 0,
    seed: SeedOption = 1,
    speed: SpeedOption = 1.0,
    plan: Annotated[
        str, typer.Option(help="Zeliq's plan: free, starter, essential, advanced, enterprise.")
    ] = "essential",
    purse: Annotated[
        int | None, typer.Option("--credits", min=0, help="Credits at each provider. Default: plenty.")
    ] = None,
    port: Annotated[
        list[str] | None, typer.Option(help="vendor=port, also control=port; otherwise any free one.")
    ] = None,
    fault: Annotated[
        list[str] | None, typer.Option(help="name, name:count or name:count:parameter; --faults lists them.")
    ] = None,
    faults: Annotated[
        bool, typer.Option("--faults", help="List the faults that can be switched on, and exit.")
    ] = False,
    write_config: Annotated[
        Path | None, typer.Option(help="Write a configuration that points at this sandbox.")
    ] = None,
    tether: Annotated[bool, typer.Option("--tether", help="End when standard input closes.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Emulated HubSpot, Salesforce, Zeliq and FullEnrich on loopback ports, to rehearse a configuration.

    \b
    Examples:
      syncd sandbox --speed 60 --write-config rehearsal.yaml
      syncd sandbox --contacts 200 --salesforce 100 --leads 50
      syncd sandbox --fault zeliq_silent_after:5    billed, but never answered
    """
    if faults:
        table("Faults", ["name", "what it does"], options_help())
        return
    try:
        ports = {name: int(number) for name, _, number in (one.partition("=") for one in port or ())}
        account = {"credits": max(10_000, 20 * (contacts + salesforce + leads)) if purse is None else purse}
        box = Sandbox(
            seed,
            contacts,
            speed,
            ports=ports,
            faults=fault or (),
            zeliq_plan=plan,
            zeliq=account,
            fullenrich=account,
            salesforce={"contacts": salesforce, "leads": leads},
        )
    except (ValueError, KeyError) as error:
        raise typer.BadParameter(str(error)) from error
    described = {"plan": plan, "salesforce": {"contacts": salesforce, "leads": leads}}
    asyncio.run(_serve(box, described, write_config, tether=tether, as_json=as_json))


async def _serve(
    box: Sandbox, described: dict[str, Any], write_config: Path | None, *, tether: bool, as_json: bool
) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    if tether:
        loop.add_reader(sys.stdin.fileno(), _end_of_input, stop)
    try:
        async with box:
            info = {**_info(box), **described}
            if write_config is not None:
                _configure(write_config, info)
            if as_json:
                typer.echo(json.dumps(info))
            else:
                _present(info, write_config)
            sys.stdout.flush()
            await stop.wait()
    except OSError as error:
        raise ConfigError(
            [f"the sandbox can't listen: {error.strerror}; choose other ports with --port vendor=number"]
        ) from error


def _configure(path: Path, info: dict[str, Any]) -> None:
    path.touch(mode=0o600)
    path.write_text(rehearsal.configuration(info, path.parent), "utf-8")


def _end_of_input(stop: asyncio.Event) -> None:
    if not os.read(sys.stdin.fileno(), 4096):
        stop.set()


def _info(box: Sandbox) -> dict[str, Any]:
    keys = {"hubspot": box.hubspot.token, "zeliq": box.zeliq.keys[0], "fullenrich": box.fullenrich.keys[0]}
    org = box.salesforce.keys
    app = {"domain": org.domain, "client_id": org.client_id, "client_secret": org.client_secret}
    return {"urls": box.urls, "keys": {**keys, "salesforce": app}, "speed": box.clock.speed, "origin": box.clock.origin}


def _present(info: dict[str, Any], write_config: Path | None) -> None:
    table(
        "Emulated vendors",
        ["vendor", "base_url", "key"],
        ([n, url, info["keys"].get(n, "")] for n, url in info["urls"].items()),
    )
    if write_config is not None:
        tell(f"{write_config} points at them: syncd run -c {write_config}")
    err.print(f"The vendors' clock runs {info['speed']:g} times as fast. Ctrl-C ends it.")
