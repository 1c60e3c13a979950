"""The sandbox's Salesforce org, alone in a process, filled with plain contacts who lack an e-mail and a phone.

`python -m benchmarks.org '{"contacts": 9, "speed": 20, "origin": …}'` tells in its first line where it is and its keys;
then, in one line for each that it is sent, how many calls read or wrote, and how many values it holds. Counts only: it
is too slow to time anybody against.
"""

from __future__ import annotations

import asyncio
import json
import sys
from typing import Any

from syncd.sandbox.salesforce.org import OWNER
from syncd.sandbox.server import Sandbox

from .portal import EMPLOYERS, email_of, phone_of

_DAY = 86_400.0
_CALLS = ("collections/retrieve", "composite")  # what reading and writing cost; pulls and checks are the same every day


class Filled:
    """A sandbox whose org holds so many contacts."""

    def __init__(self, contacts: int, speed: float, origin: float) -> None:
        self.sandbox = Sandbox(contacts=0, speed=speed)
        self.sandbox.clock.origin = origin
        store, now = self.sandbox.salesforce.org.store, int(origin - _DAY)
        employers = [
            store.add("Account", {"Name": f"Firm {n}", "Website": f"firm{n}.example", "OwnerId": OWNER}, OWNER, now).id
            for n in range(EMPLOYERS)
        ]
        self._rows = [
            (number, store.add("Contact", _values(number, employers[number % EMPLOYERS]), OWNER, now))
            for number in range(1, contacts + 1)
        ]

    def told(self) -> dict[str, Any]:
        """Where the org is, and what opens it."""
        keys = self.sandbox.salesforce.keys
        app = {"domain": keys.domain, "client_id": keys.client_id, "client_secret": keys.client_secret}
        return {"base_url": self.sandbox.urls["salesforce"], **app}

    def counts(self) -> dict[str, int]:
        """Calls that read or wrote so far, the right values that the org holds, and the wrong ones."""
        held = [
            (row.values.get(name), truth(number))
            for number, row in self._rows
            for name, truth in (("Email", email_of), ("Phone", phone_of))
        ]
        values = sum(value == truth for value, truth in held)
        wrong = sum(bool(value) and value != truth for value, truth in held)
        return {"calls": sum(self.sandbox.salesforce.calls[kind] for kind in _CALLS), "values": values, "wrong": wrong}


def _values(number: int, employer: str) -> dict[str, object]:
    profile = f"https://www.linkedin.com/in/nora-lind-{number}"
    name = {"FirstName": f"Nora{number}", "LastName": f"Lind{number}", "LinkedIn_Profile__c": profile}
    return {**name, "AccountId": employer, "MailingCountry": "FR", "OwnerId": OWNER}


async def _serve(options: dict[str, Any]) -> None:
    org = Filled(**options)
    async with org.sandbox:
        print(json.dumps(org.told()), flush=True)
        while await asyncio.to_thread(sys.stdin.readline):
            print(json.dumps(org.counts()), flush=True)


if __name__ == "__main__":
    asyncio.run(_serve(json.loads(sys.argv[1])))
