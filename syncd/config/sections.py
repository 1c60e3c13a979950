"""The sections of the file, as they are written: what each key is, and what it is when left out.

In here: shapes and defaults. Not in here: anything that looks at two sections at once
(`load`), and the resolved form that the rest of syncd works with (`settings`).
"""

from __future__ import annotations

from decimal import Decimal
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, SecretStr, model_validator
from pydantic import Field as Rule

from syncd.contract.errors import BrokenInvariant
from syncd.contract.model import Field, Grade
from syncd.ledger.place import Place, Url, is_url

from .alerting import AlertUrl, QuietHours
from .scalars import Address, Cron, Duration, Listen, Name, ProxyUrl, SafeUrl, Size, TimeZone, host_name, own_path

DAY = 86_400.0


def postgres_url(secret: SecretStr) -> SecretStr:
    """Raises ValueError where it names no database."""
    if not is_url(secret.get_secret_value()):
        raise ValueError("is no PostgreSQL database; write postgresql://user@host/database")
    return secret


HostName = Annotated[str, AfterValidator(host_name)]
Credits = Annotated[Decimal, Rule(ge=0)]
PropertyName = Annotated[str, Rule(min_length=1, max_length=100)]
PostgresUrl = Annotated[SecretStr, AfterValidator(postgres_url)]
CallbackSecret = Annotated[SecretStr, Rule(min_length=32)]


class Section(BaseModel):
    """A part of the file. An unknown key is an error; nothing changes once it is read."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True, allow_inf_nan=False)


class Keep(Section):
    """How long the ledger keeps what it no longer works on, in seconds."""

    raw: Duration = 30 * DAY  # providers' answers, as they came
    jobs: Duration = 400 * DAY  # the history, finds and values of finished jobs
    people: Duration = 400 * DAY  # who was not seen in the CRM for so long, and what was asked about them


class Durability(StrEnum):
    """On how many hosts a commit in PostgreSQL is, when syncd takes it for kept."""

    LOCAL = "local"  # on the primary alone: what it acknowledged last can be lost with its host
    REPLICATED = "replicated"  # on a synchronous standby, too


class Ledger(Section):
    """Where everything is remembered: in a file (`path`; a relative one starts at the configuration's own folder), or
    in a PostgreSQL database (`url`), for which `durability` has to be said.

    `lease`: a process of which nothing was heard for so long counts as ended, and others take over what it worked on.
    """

    path: Annotated[Path, AfterValidator(own_path)] | None = None
    url: PostgresUrl | None = None
    durability: Durability | None = None
    lease: Annotated[Duration, Rule(ge=5)] = 180.0  # seconds
    keep: Keep = Keep()
    reserve: Size = 256 << 20  # bytes that must be free beside the file, or nothing is bought

    @model_validator(mode="after")
    def _in_one_place(self) -> Self:
        if (self.path is None) == (self.url is None):
            raise ValueError("needs one of path (a file) and url (a PostgreSQL database)")
        if self.url is not None and self.durability is None:
            raise ValueError("durability must be said of a database: replicated (a synchronous standby), or local")
        if self.path is not None and self.durability is not None:
            raise ValueError("durability is about a PostgreSQL database (url); leave it out for a file")
        return self

    @property
    def place(self) -> Place:
        """The one of both that is given."""
        if self.url is not None:
            return Url(self.url.get_secret_value(), replicated=self.durability is Durability.REPLICATED)
        if self.path is None:
            raise BrokenInvariant("a ledger without a place")
        return self.path


class Spool(Section):
    """Where callbacks are kept while no PostgreSQL answers, until they are forwarded to it. A relative path starts at
    the configuration's own folder."""

    path: Annotated[Path, AfterValidator(own_path)] = Path("spool.db")
    limit: Size = 1 << 30  # bytes of callbacks


class Callbacks(Section):
    """Where providers send their answers. The first secret signs, each of them verifies. `self_check`: syncd calls
    itself through the public URL; where a host can't reach its own, the providers' first answers have to prove it.
    `drain`: seconds for which callbacks are still taken after `/healthz` tells a balancer to send no more; None: 0
    where the ledger is a file, 5 where it is a database."""

    listen: Listen = Address("127.0.0.1", 8080)
    public_url: SafeUrl
    self_check: bool = True
    drain: Duration | None = None
    spool: Spool = Spool()
    secrets: Annotated[tuple[CallbackSecret, ...], Rule(min_length=1)]


class Admin(Section):
    """The private listener: pages, metrics, health. `hosts`: names by which it may be asked, beside localhost and
    addresses in numbers."""

    listen: Listen = Address("127.0.0.1", 8081)
    hosts: tuple[HostName, ...] = ()
    token: SecretStr | None = None


class NetworkSection(Section):
    """How all calls leave this host. Nothing of it is taken from the environment.

    `ca_file`: authorities to trust beside the system's, PEM; a relative path starts at the configuration's own folder.
    """

    proxy: ProxyUrl | None = None
    resolver: Listen | None = None  # a name server's address and port; without it, the host's
    ca_file: Annotated[Path, AfterValidator(own_path)] | None = None


class LogFormat(StrEnum):
    """AUTO is CONSOLE on a terminal, JSON elsewhere."""

    AUTO = "auto"
    JSON = "json"
    CONSOLE = "console"


class Log(Section):
    format: LogFormat = LogFormat.AUTO
    level: Literal["debug", "info", "warning", "error"] = "info"


class Rehearsal(Section):
    """A sandbox's compressed time: `origin` is UTC seconds, None is when the daemon starts."""

    speed: Annotated[float, Rule(gt=0)] = 1.0
    origin: float | None = None


class InDoubtPolicy(StrEnum):
    """What becomes of a paid call of which nobody knows whether it arrived, once `hold` is over."""

    ASK = "ask"
    NEVER = "never"
    RESEND_ONCE = "resend_once"


class InDoubtRule(Section):
    policy: InDoubtPolicy = InDoubtPolicy.ASK
    hold: Duration = 2 * DAY


class Settle(StrEnum):
    """What a call that was never answered counts as in the end."""

    CHARGED = "charged"  # its worst case
    FREE = "free"


class ExpiredRule(Section):
    """What becomes of the credits of a call whose price nobody told, so long after it was given up."""

    settle: Settle = Settle.CHARGED
    after: Duration = 30 * DAY


class OnLedgerDown(StrEnum):
    """What becomes of a provider's callback while no PostgreSQL answers."""

    SPOOL = "spool"  # it is kept on this host's disk, acknowledged, and forwarded later
    REFUSE = "refuse"  # 503: the provider sends it again


class ConnectionSection(Section):
    """One configured instance of a connector. All other keys are the connector's own options."""

    model_config = ConfigDict(extra="allow")

    connector: str
    base_url: SafeUrl | None = None  # a sandbox, a proxy, another region
    in_doubt: InDoubtRule = InDoubtRule()
    expired: ExpiredRule = ExpiredRule()
    floor: Credits | None = None  # so much is to be left of the balance
    on_ledger_down: OnLedgerDown | None = None  # by default, what suits the provider


class PartialAges(Section):
    """For how long a find and a miss count, in seconds; None: as long as elsewhere."""

    found: Duration | None = None
    not_found: Duration | None = None


class Prefer(StrEnum):
    """Which of several acceptable numbers is written."""

    MOBILE = "mobile"
    FIRST = "first"


class PhoneFormat(StrEnum):
    """How a number is written."""

    E164 = "e164"
    INTERNATIONAL = "international"
    NATIONAL = "national"


class AgesSection(Section):
    """For how long an answer counts: after that, the provider may be asked again. `providers`: for some of them.
    `refresh`: a value that we wrote, and that still stands so long after, is verified again; None: never."""

    found: Duration | None = None
    not_found: Duration | None = None
    refresh: Duration | None = None
    providers: dict[str, PartialAges] = Rule(default_factory=dict)


class WritePolicy(StrEnum):
    """What may stand where a value is written. A person's value is never replaced."""

    FILL_BLANK = "fill_blank"  # nothing
    OWN = "own"  # nothing, or our own value where nobody else has ever written
    OVERWRITE_OWN = "overwrite_own"  # nothing, or our own value that nobody has changed: a newer find replaces it
    BETTER = "better"  # nothing, or a value that no person has touched and that is of a lower grade


class FieldSection(Section):
    """Who is asked for a field, in which order, and what is good enough to be written.

    `kinds`: of e-mails work, personal, role (default: no roles); of phones mobile, fixed, voip (default: no voip).
    `mobile`, `prefer` and `format` are for phones: mobile numbers may have a property of their own.
    """

    property: str | None = None  # the CRM's usual one
    also: tuple[str, ...] | None = None
    providers: Annotated[tuple[str, ...], Rule(min_length=1)]
    accept: Annotated[tuple[Grade, ...], Rule(min_length=1)] = (Grade.VALID,)
    kinds: Annotated[tuple[str, ...], Rule(min_length=1)] | None = None
    mobile: str | None = None
    prefer: Prefer | None = None
    format: PhoneFormat | None = None
    ages: AgesSection = AgesSection()
    refill: bool = False  # look for another value where a program has cleared ours
    policy: WritePolicy = WritePolicy.FILL_BLANK


class Budget(Section):
    """The most that a sync may spend, in credits of all providers together; None is no limit. The short form of an
    entry in `budgets` that has the sync's name.

    `time_zone`: where its days begin and end. A month is a day and the 29 before it.
    """

    credits_per_day: Credits | None = None
    credits_per_month: Credits | None = None
    time_zone: TimeZone = "UTC"


class NamedBudget(Section):
    """The most that is spent for some syncs and fields at some providers; None is for all of them, or no limit.
    `refresh`: it counts only calls by which values of ours are verified again.

    Each call has to fit into all budgets that count it. `per_run`: from a pull of a sync to its next one. `time_zone`:
    where days begin and end. A month is a day and the 29 before it.
    """

    name: Name
    syncs: Annotated[tuple[str, ...], Rule(min_length=1)] | None = None
    fields: Annotated[tuple[Literal[Field.EMAIL, Field.PHONE], ...], Rule(min_length=1)] | None = None
    providers: Annotated[tuple[str, ...], Rule(min_length=1)] | None = None
    refresh: bool = False
    per_run: Credits | None = None
    per_day: Credits | None = None
    per_month: Credits | None = None
    time_zone: TimeZone = "UTC"


class WhenUnavailable(StrEnum):
    """What a job does while its provider can't be asked."""

    WAIT = "wait"
    NEXT = "next"


class OnDoubt(StrEnum):
    """What becomes of an answer of which it is doubtful whether it is about the contact."""

    REVIEW = "review"  # a person decides; nobody else is paid until then, or until `review_within` is over
    NEXT = "next"  # the next provider is asked; what is left in doubt at the end waits for a person
    ACCEPT = "accept"  # it counts as the contact's


class Extra(Section):
    """Where one of them is written."""

    property: PropertyName


class Extras(Section):
    """What answers bring for nothing, and the property that it is written to, under the same guard."""

    linkedin: PropertyName | Extra | None = None
    linkedin_url: PropertyName | Extra | None = None  # another name of `linkedin`
    job_title: PropertyName | Extra | None = None
    company: PropertyName | Extra | None = None
    company_domain: PropertyName | Extra | None = None


class Provenance(Section):
    """Properties of the CRM in which it is told of a record's values who found them, when they were written, how good
    they are, and in which run; set in the same update, where they are there."""

    source: PropertyName | None = None
    at: PropertyName | None = None
    status: PropertyName | None = None
    run: PropertyName | None = None
    legal_basis: Annotated[str, Rule(min_length=1, max_length=200)] | None = None  # words, not a property


class Verify(Section):
    """What is looked at beyond the provider's word. Each can lower a grade, none can raise it."""

    mail_exchanger: bool = False  # does the domain take mail?
    employer: bool = False  # is a work address on the employer's domain?


class OptOutScope(StrEnum):
    """Whose an opt-out is."""

    PERSON = "person"  # in whichever record of the person it stands
    RECORD = "record"


class People(Section):
    """What the operator says of people in all CRMs. `own_domains`: nobody's employer."""

    own_domains: tuple[str, ...] = ()
    opt_out_scope: OptOutScope = OptOutScope.PERSON


class Approve(Section):
    """A person approves what is beyond so many values in a run."""

    above: Annotated[int, Rule(ge=0)]


class SyncSection(Section):
    """Which records are looked after, when, and how."""

    name: Name
    crm: str
    object: str
    schedule: Cron | None = None
    every: Annotated[Duration, Rule(ge=1)] | None = None
    time_zone: TimeZone = "UTC"  # of `schedule`
    match: dict[str, Any] = Rule(default_factory=dict)
    fields: Annotated[dict[Literal[Field.EMAIL, Field.PHONE], FieldSection], Rule(min_length=1)]
    budget: Budget = Budget()
    ages: AgesSection = AgesSection()
    retry_not_found: Duration | None = None  # an older name of ages.not_found
    sweep: Duration = DAY  # how often everything that lacks something is pulled again, whether it has changed or not
    on_doubt: OnDoubt = OnDoubt.REVIEW
    review_within: Duration = 14 * DAY
    approve: bool | Approve = False
    verify: Verify = Verify()
    extras: Extras = Extras()
    request: PropertyName | None = None
    provenance: Provenance = Provenance()
    when_unavailable: WhenUnavailable = WhenUnavailable.WAIT
    priority: Annotated[int, Rule(ge=1, le=1000)] = 10
    buy_before_write: Annotated[int, Rule(ge=0, le=1000)] = 3
    write_within: Annotated[Duration, Rule(le=3600)] = 300
    writes_per_hour: Annotated[int, Rule(ge=1)] | None = None
    writes_per_run: Annotated[int, Rule(ge=1)] | None = None
    canary: Annotated[int, Rule(ge=1)] | None = None  # the first so many writes, then it waits for `syncd resume`
    paused: bool = False


class ConditionKind(StrEnum):
    """What may be wrong, or wants a person."""

    BUDGET = "budget"  # a cap is reached
    CREDITS = "credits"  # a provider refused a call for want of credits
    FLOOR = "floor"  # no more than a connection's `floor` may be left of its balance
    BALANCE = "balance"  # a balance moves otherwise than the charges say
    HALTED = "halted"  # a connection is not used
    UNREACHABLE = "unreachable"  # a vendor does not answer
    BREAKER = "breaker"  # a provider is not asked for a while
    GATE = "gate"  # nothing is bought
    DISK = "disk"  # there is too little room beside the ledger
    REFUSALS = "refusals"  # a CRM refuses what is written
    IN_DOUBT = "in_doubt"  # nobody knows whether a paid call arrived
    REVIEW = "review"  # values wait for a person's decision
    OUTDATED = "outdated"  # values that syncd wrote were not found like that any more
    CONTRADICTIONS = "contradictions"  # many answers are about somebody else
    PROVENANCE = "provenance"  # values are written without what was to be told of them
    SWEEP = "sweep"  # a whole pull did not bring many who were known
    LATE = "late"  # a stage, the event loop or the ledger stands still
    CONFIGURATION = "configuration"  # a changed configuration was refused
    PAUSED = "paused"  # somebody, or a canary, has stopped a sync, a provider, or everything


class Alert(Section):
    """Somebody to be told of what is wrong, and of its end. `quiet`: hours in which nothing is sent, after which one
    summary follows. `test`: how often a message shows that alerts arrive."""

    to: AlertUrl
    on: Annotated[tuple[ConditionKind, ...], Rule(min_length=1)] = tuple(ConditionKind)
    quiet: QuietHours | None = None
    time_zone: TimeZone = "UTC"
    test: Literal["daily", "weekly", "monthly"] | None = None


class Traces(Section):
    """Where spans are sent by OTLP over HTTP, and which part of them (1: all)."""

    endpoint: SafeUrl
    headers: dict[str, SecretStr] = Rule(default_factory=dict)
    sample: Annotated[float, Rule(ge=0, le=1)] = 1.0


class Document(Section):
    """The whole file."""

    ledger: Ledger
    callbacks: Callbacks | None = None  # may be left out where every provider can be polled
    admin: Admin = Admin()
    network: NetworkSection = NetworkSection()
    log: Log = Log()
    rehearsal: Rehearsal | None = None
    people: People = People()
    budgets: tuple[NamedBudget, ...] = ()
    alerts: tuple[Alert, ...] = ()
    traces: Traces | None = None
    connections: Annotated[dict[Name, ConnectionSection], Rule(min_length=1)]
    syncs: Annotated[tuple[SyncSection, ...], Rule(min_length=1)]
