"""What the service manager is told, and what it expects: the protocol of sd_notify(3). Silent where there is none."""

from __future__ import annotations

import os
import socket

import structlog

log = structlog.get_logger("syncd.systemd")

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
        log.warning("service_manager_not_told", what=", ".join(facts), why=error.strerror)


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
