"""`syncd run` that stands still at one labelled place, until somebody lets it go on.

python -m tests.many.stopping LABEL NUMBER run -c FILE     SIGSTOP where it passes the label for the NUMBER-th time
"""

from __future__ import annotations

import os
import signal
import sys
from typing import Any, cast

from syncd import cli, compose
from syncd.cli import work
from tests.faults.labels import LabelledLedger, LabelledPort, Labels


class Stopping(Labels):
    """Stops at a label in the place of being killed there."""

    def __init__(self, label: str, number: int) -> None:
        super().__init__()
        self._at = label, number

    def passing(self, label: str) -> None:
        self.passed[label] += 1
        if (label, self.passed[label]) == self._at:
            os.kill(os.getpid(), signal.SIGSTOP)


def main(label: str, number: str, *arguments: str) -> None:
    labels = Stopping(label, int(number))
    connect = compose.connect

    def labelled(*args: Any, **kwargs: Any) -> Any:
        crms, providers = connect(*args, **kwargs)
        return crms, {name: cast("Any", LabelledPort(one, "Provider", labels)) for name, one in providers.items()}

    LabelledLedger.labels = labels
    compose.connect = labelled
    work.Ledger = LabelledLedger  # type: ignore[attr-defined,assignment]
    sys.argv = ["syncd", *arguments]
    cli.main()


if __name__ == "__main__":
    main(*sys.argv[1:])
