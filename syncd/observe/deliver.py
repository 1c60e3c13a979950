"""Sends one message by Apprise, and ends: `python -m syncd.observe.deliver` with a JSON object on standard input.

A process of its own: Apprise takes 33 MB and half a second, and who does not answer must hold up nobody. The address
comes by standard input, so that no list of processes shows it. Exit 0: it was taken; 1: it was not, and why is said on
standard error; 2: it is no address that Apprise knows. `REQUESTS_CA_BUNDLE` names what is trusted beside the system's
authorities, for mail too.
"""

from __future__ import annotations

import json
import logging
import os
import ssl
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

    _trust()
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


def _trust() -> None:
    """The system's authorities and those of `network.ca_file`, as for every other connection. requests reads that file
    by itself; smtplib only has the context that the module `ssl` makes."""
    import truststore  # noqa: PLC0415

    truststore.inject_into_ssl()
    if ca_file := os.environ.get("REQUESTS_CA_BUNDLE"):

        class Context(truststore.SSLContext):
            def __init__(self, protocol: int = ssl.PROTOCOL_TLS_CLIENT) -> None:
                super().__init__(protocol)
                self.load_verify_locations(cafile=ca_file)

        setattr(ssl, "SSLContext", Context)  # noqa: B010 - to assign to a class is what mypy refuses


if __name__ == "__main__":
    sys.exit(main())
