"""What the rest of syncd sees: the configuration with every default and reference resolved.

In here: plain frozen values, and the little that the configuration must be told about
connectors (`Kinds`). Not in here: how a file is written or read.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from enum import StrEnum
from typing import Any, Protocol

from pydantic import SecretStr

from syncd.contract.model import Field, FieldMap, Grade, Selection
from syncd.contract.network import Network
from syncd.contract.ports import CrmCapabilities, Options, ProviderCapabilities
from syncd.ledger.place import Url

from .alerting import secrets_in
from .places import Places
from .scalars import Address
from .sections import (
    Admin,
    Alert,
    Budget,
    Callbacks,
    ExpiredRule,
    InDoubtPolicy,
    Ledger,
    Log,
    NamedBudget,
    OnDoubt,
    OnLedgerDown,
    PartialAges,
    People,
    PhoneFormat,
    Prefer,
    Rehearsal,
    Traces,
    Verify,
    WhenUnavailable,
    WritePolicy,
)

KINDS = {  # by default; of all of them: the keys of what may be named
    Field.EMAIL: {"work": True, "personal": True, "role": False},
    Field.PHONE: {"mobile": True, "fixed": True, "voip": False},
}


class Port(StrEnum):
    """Which of the two ports a connector implements."""

    CRM = "crm"
    PROVIDER = "provider"


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """A kind of vendor, as its connector describes it."""

    name: str
    port: Port
    options: type[Options]
    capabilities: CrmCapabilities | ProviderCapabilities


class Kinds(Protocol):
    """Where kinds come from: the registry, handed in."""

    def kind(self, name: str) -> Kind:
        """Raises ConfigError, one line without a place, when there is no such connector."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ages:
    """For how long a find and a miss count, in seconds."""

    found: float
    not_found: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Connection:
    """A configured instance of a connector. `in_doubt_hold` is in seconds."""

    name: str
    connector: str
    port: Port
    base_url: str | None
    in_doubt_policy: InDoubtPolicy
    in_doubt_hold: float
    options: Options
    expired: ExpiredRule = field(default_factory=ExpiredRule)
    floor: Decimal | None = None  # credits
    on_ledger_down: OnLedgerDown = OnLedgerDown.REFUSE


@dataclass(frozen=True, slots=True, kw_only=True)
class FieldPolicy:
    """Where a field lives, who is asked for it in which order, and which grades and kinds are written.

    `mobile`: the property for mobile numbers, where they have one of their own. `ages`: where they are others than the
    sync's, by provider; of all of them under "". `refill`: look for another value where a program has cleared ours.
    `writes`: what may stand where a value is written. `refresh`: seconds after which a value of ours is verified again.
    """

    property: str
    also: tuple[str, ...]
    providers: tuple[str, ...]  # names of connections
    accept: frozenset[Grade]
    kinds: frozenset[str] = frozenset({"work", "personal", "mobile", "fixed"})
    mobile: str | None = None
    prefer: Prefer = Prefer.MOBILE
    format: PhoneFormat = PhoneFormat.E164
    ages: Mapping[str, PartialAges] = field(default_factory=dict)
    refill: bool = False
    writes: WritePolicy = WritePolicy.FILL_BLANK
    refresh: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Sync:
    """One job description. Either `schedule` (a cron line, in `time_zone`) or `every` (seconds) is set.

    `retry_not_found` and `reuse_found`: seconds for which a provider's miss, and its find, count. `sweep`: seconds
    after which everything that lacks something is pulled again, changed or not. `review_within`:
    seconds for which a person's decision on a doubtful answer is waited for. `extras`: what answers bring for nothing,
    and the property that it is written to. `priority`: its share of the turns at a provider that several syncs ask.
    `buy_before_write`: contacts for whom credits are spent before the CRM has confirmed a write, 0 for any number.
    `unproved_url`: the public URL, where only the first answers can show that callbacks arrive.
    `canary`: the first so many writes, after which the sync is paused until a person has looked at them.
    `write_within`: seconds for which a value may wait for a full batch while more are to be expected. `approve`: so
    many values of a run are written without a person's approval; None: all of them. `provenance`: what is told of a
    record's values (of `Told`), and in which property. `verify`: what is looked at beyond the provider's word.
    `legal_basis`: what is named as the legal basis of a record that names none, with its first value. `request`: a
    checkbox by which somebody wants a contact now.
    """

    name: str
    crm: str  # name of a connection
    object: str
    schedule: str | None
    every: float | None
    match: Mapping[str, Any]
    fields: Mapping[Field, FieldPolicy]
    budget: Budget
    retry_not_found: float
    when_unavailable: WhenUnavailable
    paused: bool
    on_doubt: OnDoubt = OnDoubt.REVIEW
    review_within: float = 14 * 86_400.0
    extras: Mapping[Field, str] = field(default_factory=dict)
    reuse_found: float = 90 * 86_400.0
    sweep: float = 86_400.0
    priority: int = 10
    buy_before_write: int = 3
    write_within: float = 300.0
    writes_per_hour: int | None = None
    writes_per_run: int | None = None
    canary: int | None = None
    time_zone: str = "UTC"
    unproved_url: str = ""
    approve: int | None = None
    verify: Verify = field(default_factory=Verify)
    provenance: Mapping[str, str] = field(default_factory=dict)
    legal_basis: str | None = None
    request: str | None = None
    # What the CRM's port wants to know of this sync; and a digest of all that a write depends on: with another one it
    # is not known whether the CRM takes it. Both are made once, for they are asked for with each contact.
    selection: Selection = field(init=False, compare=False, repr=False)
    writing: str = field(init=False, compare=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "selection", self._selection())
        object.__setattr__(self, "writing", self._writing())

    def _writing(self) -> str:
        fields = {
            field: [one.property, one.also, one.mobile, one.format, sorted(one.accept), sorted(one.kinds)]
            for field, one in sorted(self.fields.items())
        }
        what = [self.crm, self.object, self.match, self.extras, fields]
        what += [self.unproved_url] if self.unproved_url else []  # a first write shows that an answer came
        return hashlib.sha256(json.dumps(what, sort_keys=True, default=str).encode()).hexdigest()[:32]

    def ages(self, field: Field, provider: str) -> Ages:
        """For how long an answer of a provider counts."""
        policy = self.fields.get(Field.PHONE if field is Field.MOBILE else field)
        given = [policy.ages[key] for key in (provider, "") if key in policy.ages] if policy else []
        found = next((one.found for one in given if one.found is not None), self.reuse_found)
        missed = next((one.not_found for one in given if one.not_found is not None), self.retry_not_found)
        return Ages(found=found, not_found=missed)

    def writes(self, field: Field) -> WritePolicy:
        """What may stand where a value of a field is written. What comes along with answers only fills blanks."""
        policy = self.fields.get(Field.PHONE if field is Field.MOBILE else field)
        return policy.writes if policy else WritePolicy.FILL_BLANK

    def _selection(self) -> Selection:
        maps = {field: FieldMap(property=policy.property, also=policy.also) for field, policy in self.fields.items()}
        return Selection(
            object=self.object,
            fields=maps,
            match=self.match,
            extras=self._extras(),
            stamps=self.provenance,
            legal_basis=self.legal_basis or "",
            request=self.request or "",
        )

    def _extras(self) -> dict[Field, FieldMap]:
        phone = self.fields.get(Field.PHONE)
        named = {Field.MOBILE: phone.mobile if phone else None, **self.extras}
        return {field: FieldMap(property=name) for field, name in named.items() if name}


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """A whole configuration, sound as far as it can be told without the network."""

    ledger: Ledger
    callbacks: Callbacks | None
    admin: Admin
    log: Log
    rehearsal: Rehearsal | None
    connections: Mapping[str, Connection]
    syncs: tuple[Sync, ...]
    people: People = field(default_factory=People)
    budgets: tuple[NamedBudget, ...] = ()
    alerts: tuple[Alert, ...] = ()
    traces: Traces | None = None
    network: Network = field(default_factory=Network)
    resolver: Address | None = None  # a name server; None: the host's
    warnings: tuple[str, ...] = ()
    places: Places = field(default_factory=Places, compare=False, repr=False)

    @property
    def secrets(self) -> frozenset[str]:
        """The value of every secret, so that the log can mask them. Show it to nobody."""
        held = [*(self.callbacks.secrets if self.callbacks else ()), self.admin.token]
        for connection in self.connections.values():
            held += [value for _, value in connection.options]
        held += self.traces.headers.values() if self.traces else ()
        known = {value.get_secret_value() for value in held if isinstance(value, SecretStr)}
        if isinstance(self.ledger.place, Url):
            known |= self.ledger.place.secrets
        known |= set(self.network.proxy_login[1:] if self.network.proxy_login else ())
        return frozenset(known.union(*(secrets_in(one.to.get_secret_value()) for one in self.alerts)))
