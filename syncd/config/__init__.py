"""The configuration: a YAML file and its secrets in, frozen and fully resolved settings out.

In here: the strict reading of YAML with its line numbers (`document`), secrets from the
environment, from files and from systemd credentials (`secret`), durations and addresses as people write
them (`scalars`), cron lines (`cron`), the file's sections (`sections`), what the rest of syncd sees
(`settings`), the joining of all these with every problem reported at once (`load`), and a JSON
Schema for editors (`schema`). Not in here: which connectors there are (they are passed in, see
`Kinds`), and anything that needs the network (`syncd check` asks the connections themselves).
"""

from .cron import CronLine
from .findings import place, unused
from .load import load
from .places import Places
from .scalars import Address, Duration
from .schema import json_schema
from .sections import (
    Admin,
    Alert,
    Budget,
    Callbacks,
    ConditionKind,
    Durability,
    ExpiredRule,
    InDoubtPolicy,
    Keep,
    Ledger,
    Log,
    LogFormat,
    NamedBudget,
    OnDoubt,
    OnLedgerDown,
    OptOutScope,
    People,
    PhoneFormat,
    Prefer,
    Rehearsal,
    Settle,
    Spool,
    Traces,
    WhenUnavailable,
    WritePolicy,
)
from .settings import Ages, Connection, FieldPolicy, Kind, Kinds, Port, Settings, Sync

__all__ = [
    "Address",
    "Admin",
    "Ages",
    "Alert",
    "Budget",
    "Callbacks",
    "ConditionKind",
    "Connection",
    "CronLine",
    "Durability",
    "Duration",
    "ExpiredRule",
    "FieldPolicy",
    "InDoubtPolicy",
    "Keep",
    "Kind",
    "Kinds",
    "Ledger",
    "Log",
    "LogFormat",
    "NamedBudget",
    "OnDoubt",
    "OnLedgerDown",
    "OptOutScope",
    "People",
    "PhoneFormat",
    "Places",
    "Port",
    "Prefer",
    "Rehearsal",
    "Settings",
    "Settle",
    "Spool",
    "Sync",
    "Traces",
    "WhenUnavailable",
    "WritePolicy",
    "json_schema",
    "load",
    "place",
    "unused",
]
