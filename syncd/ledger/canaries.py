"""Callbacks that a process sends to itself: the one that receives them may be another one."""

from __future__ import annotations

from .store import Tx

KEPT = 3600.0  # seconds: by then it is over, whatever became of it


def sent(tx: Tx, nonce: str, *, now: float) -> None:
    """It is on its way."""
    tx.run("canary_sent", nonce=nonce, now=now)


def arrived(tx: Tx, nonce: str) -> bool:
    """It came; False for one that nobody waits for."""
    return tx.run("canary_arrived", nonce=nonce) == 1


def over(tx: Tx, nonce: str, *, now: float) -> bool:
    """Nobody waits for it any more; returns whether it has come."""
    return any(
        row["nonce"] == nonce and row["arrived"] for row in tx.rows("canary_over", nonce=nonce, before=now - KEPT)
    )
