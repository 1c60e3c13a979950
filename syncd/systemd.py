"""systemd: what the service manager is told (sd_notify(3)), what it expects, and whether the journal reads our lines.

Silent where there is no systemd.
"""

from __future__ import annotations

import logging
import os
import socket
from typing import TextIO

log = logging.getLogger("syncd.systemd")  # not structlog's: commands that log nothing need not import it

CRITICAL, ERROR, WARNING, INFO, DEBUG = 2, 3, 4, 6, 7  # priorities, as the journal knows them

LONGEST_STATUS = 400  # bytes; `systemctl status` shows it on one line


def notify(**facts: str | int) -> None:
    """Tell the service manager, in one message: `notify(READY=1, STATUS="Working.")`."""
    address = os.environ.get("NOTIFY_SOCKET", "")
    if not address:
        return
    if address.startswith("@"):  # an abstract name
        address = "\0" + address[1:]
    message = "\n".join(f"{name}={_line(value)}" for name, value in facts.items())
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC | socket.SOCK_NONBLOCK) as manager:
            manager.connect(address)
            manager.sendall(message.encode())
    except OSError as error:
        log.warning("service manager not told of %s: %s", ", ".join(facts), error.strerror)


def _line(value: str | int) -> str:
    """On one line, and not longer than is shown."""
    if isinstance(value, int):
        return str(value)
    return " ".join(value.split()).encode()[:LONGEST_STATUS].decode(errors="ignore")


def watchdog() -> float | None:
    """Seconds within which the service manager wants a sign of life from this process, or None."""
    if os.environ.get("WATCHDOG_PID", str(os.getpid())) != str(os.getpid()):
        return None
    given = os.environ.get("WATCHDOG_USEC", "")
    return int(given) / 1e6 if given.isdecimal() and int(given) else None


def is_journal(stream: TextIO) -> bool:
    """Does the journal read what is written to this stream? Then each line may begin with its priority, `<3>`."""
    given = os.environ.get("JOURNAL_STREAM", "")
    if not given:
        return False
    try:
        file = os.fstat(stream.fileno())
    except (OSError, ValueError):  # closed, or no file at all
        return False
    return given == f"{file.st_dev}:{file.st_ino}"
