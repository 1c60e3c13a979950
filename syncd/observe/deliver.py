"""Sends one message by Apprise, and ends: `python -m syncd.observe.deliver` with a JSON object on standard input.

A process of its own: Apprise takes 33 MB and half a second, and who does not answer must hold up nobody. The address
comes by standard input, so that no list of processes shows it. Exit 0: it was taken; 1: it was not, and why is said on
standard error; 2: it is no address that Apprise knows.
"""

from __future__ import annotations

import json
import logging
import sys


class _Reasons(logging.Handler):
    """Keeps what Apprise says about a failure; it names no address."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.said: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.said.append(record.getMessage())


def main() -> int:
    """Deliver what stands on standard input: `url`, `title`, `body`."""
    import apprise  # noqa: PLC0415 - to import this module costs nothing
    import truststore  # noqa: PLC0415

    truststore.inject_into_ssl()  # the system's authorities, as for every other connection
    told = json.load(sys.stdin)
    reasons = _Reasons()
    logger = logging.getLogger("apprise")
    logger.addHandler(reasons)
    logger.propagate = False
    target = apprise.Apprise()
    if not target.add(told["url"]):
        sys.stderr.write("Apprise knows no such address; see its list of services\n")
        return 2
    if target.notify(title=told["title"], body=told["body"], body_format=apprise.NotifyFormat.TEXT):
        return 0
    sys.stderr.write("; ".join(reasons.said[-3:]) or "it was not taken, and nobody said why")
    return 1


if __name__ == "__main__":
    sys.exit(main())
