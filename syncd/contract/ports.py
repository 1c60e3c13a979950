"""The two ports, and what a connector says of itself.

A connector is one file in `connectors/` with a class `Connector` that implements one of the ports.
It is made once per connection, `Connector(name, options, base_url, tools)`, and lives as long as
the daemon. All its methods run on one event loop; a blocking SDK is its own affair (a thread pool).
Every method may raise `errors.Retry`, `errors.RateLimited` and `errors.Halt`; what else it may
raise is said with it. Nothing else may leave a connector.
"""

from __future__ import annotations

import random
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import TYPE_CHECKING, Any, ClassVar, Protocol, runtime_checkable

from pydantic import BaseModel, ConfigDict

from .model import (
    Answer,
    Change,
    Contact,
    ContactRef,
    Delivery,
    EnrichmentRequest,
    Field,
    FieldMap,
    Finding,
    Page,
    Question,
    Receipt,
    Selection,
    Snapshot,
    Submission,
    WriteOutcome,
)
from .network import Network
from .pacing import Clock, Window
from .schema import Proposal

if TYPE_CHECKING:
    import httpx

    from .http import Http


class Options(BaseModel):
    """The base of a connector's own settings; every unknown key is an error."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True, allow_inf_nan=False)

    # Where one of several sets of options opens an account: each by what people call it, the best one first.
    ways_in: ClassVar[Mapping[str, tuple[str, ...]]] = {}
    # Options with a default that is better chosen than taken: `syncd init` asks for them, too.
    chosen: ClassVar[tuple[str, ...]] = ()


class Memory(Protocol):
    """What a connector wants to know again after a restart. Small JSON values, no secrets."""

    def recall(self, key: str) -> Any:
        """The value last kept under `key`, or None."""

    async def keep(self, key: str, value: Any) -> None:
        """On disk when this returns."""


@dataclass(frozen=True, slots=True)
class Tools:
    """What a connector is given instead of taking it: time, chance, memory, and the way out.

    `http` makes a client. `network`, for SDKs with a client of their own, goes to `sdk_http.manager`. `transport`
    takes the place of the network, in tests.
    """

    clock: Clock
    rng: random.Random
    memory: Memory
    transport: httpx.AsyncBaseTransport | None = None
    network: Network = field(default_factory=Network)

    def http(self, base_url: str, headers: Mapping[str, str]) -> Http:
        """A client for one host, led as the operator wants it."""
        from .http import Http  # noqa: PLC0415 - most commands call nobody, and httpx is slow to import

        return Http(base_url, headers, self.network, self.transport)


@dataclass(frozen=True, slots=True, kw_only=True)
class CrmCapabilities:
    """What a kind of CRM can do, as data.

    `objects` maps each object that syncd can work on to the default property of each field.
    `conditional_write`: the CRM itself refuses a write when the record has changed. Where it is
    False, the pipeline reads again after each write and puts back what a person wrote meanwhile.
    `keys`: where people read which key and rights it needs. `legal_basis`: the property in which a record names the
    legal basis for being processed; "" where the CRM has none of its own.
    """

    title: str
    objects: Mapping[str, Mapping[Field, FieldMap]]
    read_batch: int  # records per `read`
    write_batch: int  # changes of so many records per `write`
    history: bool
    conditional_write: bool
    keys: str = ""
    legal_basis: str = ""


class Crm(Protocol):
    """A place where contacts are kept and where found values are written."""

    name: str
    capabilities: CrmCapabilities

    async def account(self) -> str:
        """The vendor's own stable id of the account (portal, org) that the key belongs to. One cheap call."""

    async def check(self, selections: Sequence[Selection]) -> list[Finding]:
        """Probe key, scopes, properties and limits. Reads only. Problems are findings, not errors.

        An error for as long as a write of any mapped property of `selections` would be refused, whoever
        has forbidden it: nothing is bought for a sync before its selection was seen without one. A warning for
        what a selection can do without: an `also` property that is hidden or gone, a field of `extras`.
        """

    def pull(self, selection: Selection, cursor: Mapping[str, Any] | None) -> AsyncIterator[Page]:
        """Yield the records that lack a field of `selection`, from `cursor` on (None: all).

        Each page's cursor is valid once that page is stored; pulling from it again repeats at most
        some overlap. Records changed before the pull began and visible to the CRM's search are not
        skipped, however many there are. Values are fresh, not the search index's. Raises Unusable when
        a property of `selection.fields` is not there; an `also` property that is not there is left out.
        """

    async def look(self, refs: Sequence[ContactRef], selection: Selection) -> list[Contact]:
        """Read again records that a pull has brought: those of `refs` that are still there and match
        `selection.match` now, each as `pull` would give it now, also those that lack nothing any more. Any order,
        each under the ref that was asked for.

        Who is missing in the answer was deleted, merged into another record, or does not match any more. `refs` are
        distinct and at most `capabilities.read_batch`. Safe to repeat. Raises Unusable as `pull` does.
        """

    async def read(self, refs: Sequence[ContactRef], selection: Selection) -> list[Snapshot]:
        """Read all writable fields freshly, with history where the CRM keeps it, and who the record is
        about now: one Snapshot per ref, any order.

        `refs` are distinct and at most `capabilities.read_batch`. Safe to repeat.
        """

    async def write(self, changes: Sequence[Change], selection: Selection) -> list[WriteOutcome]:
        """Carry out the changes, of at most `capabilities.write_batch` records; one outcome each.

        A record's changes stand or fall one by one: a refused e-mail does not stop the phone, a bad
        record does not stop its batch-mates, and what is set `along` stops nothing. `UNKNOWN` where it
        cannot be said. Safe to repeat only after a fresh `read`. Never creates, merges or deletes a record,
        never writes another property than these.
        """

    async def aclose(self) -> None:
        """Let go of connections."""


@runtime_checkable
class MakesProperties(Protocol):
    """A Crm in which properties can be made."""

    async def make_properties(self, selection: Selection, *, dry_run: bool) -> list[Finding]:
        """See that the properties of `selection.stamps` and its `request` are there: make those that are missing, where
        the API and our rights allow it, and say of the others what a person has to do. With `dry_run` nothing is made.
        Safe to repeat.
        """


@runtime_checkable
class ProposesFields(Protocol):
    """A Crm that tells from its own schema where the fields of an object live: `syncd init` asks for it."""

    async def propose(self, kind: str) -> Proposal:
        """For an object of `capabilities.objects`. Reads only."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ProviderCapabilities:
    """What a kind of provider can do, as data; an instance may narrow it by its options.

    `batch`: requests per submission. `combines`: one request may ask for several fields.
    `price`: the worst case in credits per field. `windows`: limits on calls; `polls_count` says
    whether polling uses the same ones. `poll_after`: seconds until the first poll and between
    polls, None where there is nothing to poll. `answer_within`: seconds after which an answer is
    not expected any more. `needs_email_for`: fields for which a known e-mail makes a request
    possible that would lack its input otherwise. `echoes`: an answer says something of the person
    whom it is about, so that silence is suspicious. `bills_finds_only`: a person who is not found
    costs nothing, so that another way of asking may be tried. `keys`: where people read which key it needs. `sample`:
    an answer as it usually looks, of somebody made up; what answers have in common with it takes no room in the ledger.
    `at_once`: the answer to `submit` holds the result, so that neither callbacks nor polls are needed. `calls_again`: a
    callback that was answered with 503 is known to be sent again, for some minutes.
    """

    title: str
    fields: frozenset[Field]
    batch: int
    combines: bool
    price: Mapping[Field, Decimal]
    windows: tuple[Window, ...]
    inputs: str  # what a request needs, for people
    poll_after: float | None = None
    polls_count: bool = False
    answer_within: float = 172_800.0
    body_limit: int = 262_144  # bytes of the largest honest callback
    signed: bool = False  # callbacks carry the vendor's own signature
    needs_email_for: frozenset[Field] = field(default_factory=frozenset)
    echoes: bool = True
    bills_finds_only: bool = True
    keys: str = ""
    sample: bytes = b""
    at_once: bool = False
    calls_again: bool = False


class Provider(Protocol):
    """Somebody who finds values, asynchronously, for credits."""

    name: str
    capabilities: ProviderCapabilities

    async def account(self) -> str | None:
        """The vendor's own stable id of the account (workspace) that the key belongs to; None where it tells none.
        Spends nothing."""

    async def check(self) -> list[Finding]:
        """Probe key, account and balance. Spends nothing."""

    def lacks(self, request: EnrichmentRequest) -> str | None:
        """Why this request can't be asked (which input is missing or unusable), or None. Pure."""

    def questions(self, request: EnrichmentRequest) -> Sequence[Question]:
        """The ways in which this can be asked, the best first; empty exactly where something `lacks`.

        Each tells the part of what is known that the provider would be told, and nothing else; for the
        same identity always the same. A submission's requests carry one of them as their identity. Pure.
        """

    async def submit(self, submission: Submission) -> Receipt:
        """Make the one paid call; never repeats it by itself.

        Raises Retry/RateLimited/Halt/Skip/Unlisted/Split when it was definitely not accepted, InDoubt when
        it may have been: a 2xx is an acceptance only where its body is the vendor's, be it without an id.
        """

    async def poll(self, submission: Submission) -> Delivery | None:
        """Ask for the result of an accepted submission; None: still running. Safe to repeat.

        Raises Skip when the provider will never know it (any more).
        """

    def authenticate(self, delivery: Delivery) -> bool:
        """Is the vendor's own signature on this callback right? True where the vendor has none:
        the address's MAC has been checked before. Pure, constant time, never raises."""

    def parse(self, delivery: Delivery, submission: Submission) -> Answer:
        """Read a delivery, matching items to the requests by our ids, then by input, never by
        position. Pure. Raises Garbled when the body is not the vendor's, when it can't be believed
        (an unsigned find that echoes nothing of what was sent, a charge that does not fit), and when
        something was charged although nothing could be read: that is never "not found"."""

    async def balance(self) -> Decimal | None:
        """Credits left, or None where the vendor does not tell."""

    async def aclose(self) -> None:
        """Let go of connections."""
