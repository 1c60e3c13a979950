"""The command line. Each command parses, calls, prints; the work is done elsewhere.

Exit codes: 0 done, 1 the work failed, 2 usage, 65 the ledger is damaged, 70 an invariant of ours is
broken, 73 another daemon has the ledger, 74 the disk failed or is full, 75 passing trouble: try again, 77 this
user may not, 78 the configuration can't be used; 130, 141 and 143 after Ctrl-C, a closed pipe and SIGTERM.
Results go to standard output, everything else to standard error; `--json` prints one object and
nothing more.
"""

from __future__ import annotations

import gc
import os
import sys
from importlib import import_module
from typing import Any

import typer
from typer.core import TyperGroup

from syncd import __version__

from . import failing

# In which module beside this one a command is, and what the list of commands says of it: a module is
# imported when a command of it is used, for together they take two seconds.
COMMANDS = {
    "init": ("init", "Answer a few questions, and have a configuration."),
    "demo": ("rehearse", "See it all work, against emulated vendors."),
    "sandbox": ("rehearse", "Emulated vendors, to rehearse a configuration."),
    "run": ("work", "The daemon, until SIGTERM."),
    "undo": ("undo", "Put back what was written, where it is still ours."),
    "plan": ("plan", "Who would be enriched, at which cost; spends nothing."),
    "retry": ("retry", "Decide again now on what was in vain; shows the price first."),
    "setup": ("setup", "Make the CRM properties that tell where values are from."),
    "check": ("look", "What keeps `syncd run` from working, and the cure."),
    "status": ("status", "What is where, what waits for what, credits, errors."),
    "contacts": ("contacts", "Find contacts, and what became of them."),
    "show": ("look", "One contact's whole journey."),
    "runs": ("look", "The last runs, and what each has written."),
    "report": ("report", "What was asked, found, written and paid."),
    "connectors": ("look", "Which CRMs and providers there are."),
    "pull": ("pull", "Let a sync run now instead of at its next time."),
    "enrich": ("enrich", "Ask about certain contacts now, before everybody else."),
    "pause": ("pause", "Stop a sync, a provider, or everything for a while."),
    "resume": ("pause", "Let what was paused go on."),
    "backup": ("keep", "A sound copy of the ledger, while the daemon runs."),
    "restore": ("keep", "Put a copy in the ledger's place."),
    "migrate": ("migrate", "Move the ledger to PostgreSQL, or back to a file."),
    "thaw": ("keep", "Buy again at once after a restore."),
    "reconcile": ("keep", "Do the providers' balances move as the charges say?"),
    "verify": ("keep", "Is the ledger sound, and does it add up?"),
    "doctor": ("doctor", "What is wrong on this host, and the cure."),
    "completion": ("completion", "What a shell needs to complete commands."),
    "config": ("look", "About the configuration file itself."),
    "review": ("review", "Values that wait for your decision."),
    "suppress": ("suppress", "Who is never asked about and never written for."),
    "forget": ("forget", "Erase a person, and never ask about them again."),
    "export": ("export", "All that is held on a person; who was newly enriched."),
    "alert": ("alert", "Who is told when something is wrong."),
    "in-doubt": ("in_doubt", "Paid calls that may not have arrived."),
}


class _Commands(TyperGroup):
    """The root's commands, each imported when it is used."""

    def __init__(self, **attrs: Any) -> None:
        super().__init__(**attrs)
        self._imported = self.commands  # under this name all are listed, to suggest one for a typing error
        self.commands = dict.fromkeys(COMMANDS)  # type: ignore[assignment]

    def list_commands(self, _: Any) -> list[str]:
        return list(COMMANDS)

    def get_command(self, _: Any, cmd_name: str) -> Any:
        if cmd_name in COMMANDS and cmd_name not in self._imported:
            self._imported.update(registered(COMMANDS[cmd_name][0]))
        return self._imported.get(cmd_name)

    def shell_complete(self, ctx: Any, incomplete: str) -> list[Any]:
        """Without importing a command: a shell waits for it."""
        from typer._click.shell_completion import CompletionItem  # noqa: PLC0415

        options = [
            (name, getattr(one, "help", None))
            for one in self.get_params(ctx)
            for name in one.opts
            if incomplete.startswith("-")
        ]
        said = [(name, words) for name, (_, words) in COMMANDS.items()]
        return [CompletionItem(name, help=words) for name, words in said + options if name.startswith(incomplete)]

    def format_commands(self, _: Any, formatter: Any) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, said) for name, (_, said) in COMMANDS.items()])


def registered(module: str) -> dict[str, Any]:
    """The commands of a module beside this one, by name."""
    part = typer.Typer(rich_markup_mode=None, add_completion=False)
    part.callback()(lambda: None)  # else a single command would be no group
    gc.disable()  # what is imported is no garbage: to look for some again and again takes a tenth of the start
    try:
        import_module(f".{module}", __name__).add_to(part)
    finally:
        gc.enable()
    group: Any = typer.main.get_command(part)
    commands: dict[str, Any] = group.commands
    return commands


app = typer.Typer(
    name="syncd",
    cls=_Commands,
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,  # plain help: it reads alike on a terminal, in a pipe and in 80 columns
    context_settings={"help_option_names": ["-h", "--help"]},
    help="Finds the e-mails and phones that your CRM lacks, and writes them back: nothing lost, nothing paid twice, "
    "nothing overwritten. Start with: syncd demo",
)


@app.callback(invoke_without_command=True)
def _root(
    *,
    version: bool = typer.Option(False, "--version", help="Print the version and exit."),
    _: bool = typer.Option(False, "--debug", help="Show the details of what nobody foresaw, instead of in a file."),
) -> None:
    if version:
        typer.echo(f"syncd {__version__}")
        raise typer.Exit


def main() -> None:
    """The console script: every error becomes a clear message and its exit code."""
    if "_SYNCD_COMPLETE" in os.environ:  # a shell asks what can be typed here
        from typer._completion_classes import completion_init  # noqa: PLC0415

        completion_init()
    failing.run(lambda: app(prog_name="syncd"), debug="--debug" in sys.argv[1:2])
