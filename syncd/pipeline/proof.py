"""Do callbacks arrive, on a host that can't call its own public URL (`callbacks.self_check: false`)?

Then only the providers' answers can show it. Who has no other way to answer is bought from for a few contacts, until a
first value was written (`buy_before_write`; another public URL begins anew); and no more, once none of the last
calls was answered.
"""

from __future__ import annotations

from syncd.ledger import submissions

from .parts import Parts

CALLS = 3  # unanswered ones in a row
PATIENCE = 900.0  # seconds in which a call need not be answered
AGAIN = 86_400.0  # seconds from the last of them until it is tried again


async def callbacks_arrive(parts: Parts) -> tuple[str, str]:
    """Why nothing may be bought, and what to do about it; twice "" while answers come."""
    now = parts.clock.now()
    for name, lane in parts.lanes.items():
        if lane.provider.capabilities.poll_after is not None:
            continue
        if await parts.ledger.read(submissions.is_silent, name, CALLS, since=now - AGAIN, until=now - PATIENCE):
            why = f"callbacks don't arrive here: none of the last {CALLS} calls of {name} was answered"
            cure = "See that callbacks.public_url leads to callbacks.listen from outside. It is tried again in a day."
            return why, cure
    return "", ""
