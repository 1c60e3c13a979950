"""The command line. Each command parses, calls, prints; the work is done elsewhere.

Exit codes: 0 done, 1 the work failed, 2 usage, 65 the ledger is damaged, 70 an invariant of ours is
broken, 73 another daemon has the ledger, 74 the disk failed, 78 the configuration can't be used.
Results go to standard output, everything else to standard error; `--json` prints one object and
nothing more.
"""

from __future__ import annotations

import sys

import typer

from syncd import __version__
from syncd.contract.errors import BrokenInvariant, ConfigError, SyncdError
from syncd.ledger.file import DiskFailed, LedgerCorrupt

from . import keep, look, plan, rehearse, review, work
from .output import complain, with_cure

EX_DATAERR, EX_SOFTWARE, EX_IOERR, EX_CONFIG = 65, 70, 74, 78

app = typer.Typer(
    name="syncd",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,  # plain help: it reads alike on a terminal, in a pipe and in 80 columns
    context_settings={"help_option_names": ["-h", "--help"]},
    help="Finds the e-mails and phones that your CRM lacks, and writes them back: nothing lost, nothing paid twice, "
    "nothing overwritten. Start with: syncd demo",
)


@app.callback(invoke_without_command=True)
def _root(*, version: bool = typer.Option(False, "--version", help="Print the version and exit.")) -> None:
    if version:
        typer.echo(f"syncd {__version__}")
        raise typer.Exit


rehearse.add_to(app)
work.add_to(app)
plan.add_to(app)
look.add_to(app)
review.add_to(app)
keep.add_to(app)


def main() -> None:
    """The console script: expected errors become one clear message and their exit code."""
    try:
        app()
    except ConfigError as error:
        complain(error.problems)
        sys.exit(EX_CONFIG)
    except BrokenInvariant as error:
        complain([f"syncd stopped itself: {error}. Nothing is lost; please report this with the log."])
        sys.exit(EX_SOFTWARE)
    except SyncdError as error:
        complain([with_cure(str(error), getattr(error, "cure", ""))])
        sys.exit(EX_DATAERR if isinstance(error, LedgerCorrupt) else EX_IOERR if isinstance(error, DiskFailed) else 1)
    except KeyboardInterrupt:
        sys.exit(130)
