"""The bench that a provider is tested on: how its vendor can be made to behave, and what its answers look like.

`HttpBench` is one for every vendor with an HTTP API; the author of a connector says what its vendor replies.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import Enum, auto
from typing import Any, Protocol

from syncd.contract.model import Delivery, Field, Source, Submission
from syncd.contract.ports import Provider

from .server import Reply, Script, scripted

KEY = "secret-key-of-the-bench"
FOUND = {Field.EMAIL: "ada@acme.example.com", Field.PHONE: "+447700900123"}
CHARGED = 3


class Vendor(Enum):
    """How the vendor answers the next call."""

    ACCEPTS = auto()
    LIMITED = auto()
    BAD_KEY = auto()
    NO_CREDITS = auto()
    LOST = auto()  # carried out or not: no answer comes
    UNREACHABLE = auto()
    BALANCE = auto()


class Bench(Protocol):
    """One provider and its vendor."""

    options: Mapping[str, Any]  # with which the connector can be made; its secrets are KEY
    words: tuple[str, ...]  # which the vendor's answers may hold, beside those of `found`
    tells_balance: bool

    def provider(self, vendor: Vendor = Vendor.ACCEPTS) -> Provider:
        """A fresh instance whose vendor behaves so."""

    def calls(self) -> int:
        """How often the vendor was called."""

    def found(self, submission: Submission) -> Delivery:
        """A final answer with FOUND for every field of every request, signed if the vendor signs."""

    def nothing(self, submission: Submission) -> Delivery:
        """A final answer: nobody was found."""

    def charged_for_nothing(self, submission: Submission) -> Delivery | None:
        """A final answer that bills CHARGED credits and holds no value; None where the vendor can't say so."""


Body = Callable[[Submission, Mapping[Field, str], int], Any]


@dataclass
class HttpBench:
    """A connector against the scripted server.

    `make`: an instance for a base URL. `replies`: what the vendor says to a call, by how it behaves (`LOST` and
    `UNREACHABLE` need none). `body`: its final answer to a submission, with these values found and so many credits
    charged. `source`: how that answer comes; `RECEIPT` where the vendor answers at once. `signature`: of a body.
    """

    script: Script
    make: Callable[[str], Provider]
    replies: Mapping[Vendor, Reply]
    body: Body
    options: Mapping[str, Any] = field(default_factory=lambda: {"api_key": KEY})
    signature: Callable[[bytes], dict[str, str]] = lambda _: {}
    source: Source = Source.CALLBACK
    words: tuple[str, ...] = ()
    bills_nothing: bool = True  # it may bill for an answer without a value
    tells_balance: bool = True

    def provider(self, vendor: Vendor = Vendor.ACCEPTS) -> Provider:
        if vendor is Vendor.UNREACHABLE:
            with scripted() as gone:
                pass
            return self.make(gone.url)
        self.script.default = Reply(cut=True) if vendor is Vendor.LOST else self.replies[vendor]
        return self.make(self.script.url)

    def calls(self) -> int:
        return len(self.script.calls)

    def found(self, submission: Submission) -> Delivery:
        return self._delivery(submission, FOUND, CHARGED)

    def nothing(self, submission: Submission) -> Delivery:
        return self._delivery(submission, {}, 0)

    def charged_for_nothing(self, submission: Submission) -> Delivery | None:
        return self._delivery(submission, {}, CHARGED) if self.bills_nothing else None

    def _delivery(self, submission: Submission, values: Mapping[Field, str], charged: int) -> Delivery:
        raw = json.dumps(self.body(submission, values, charged)).encode()
        return Delivery(submission_id=submission.id, source=self.source, body=raw, headers=self.signature(raw))
