"""The operator's configuration: how it is drawn, and how it changes in the course of a history.

A change counts from the next start on, as it does for the daemon. What was in force before stays known to the judge:
a sync's former names, and the caps and ages that there were. Connections are renamed as well: the world and the judge
know each by its first name, and only the daemon by the one that it has now.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from decimal import Decimal
from pathlib import Path
from typing import Any

from pydantic import SecretStr

from connectors import fullenrich, zeliq
from syncd.config import Settings, WhenUnavailable, WritePolicy
from syncd.config.sections import Admin, Budget, Callbacks, InDoubtPolicy, Keep, Ledger, Log, NamedBudget, OnDoubt
from syncd.config.settings import Connection, FieldPolicy, Port, Sync
from syncd.contract.model import Field, Grade
from syncd.contract.ports import Options

from . import spending
from .crm import PROPERTY
from .timeline import DAY, HOUR

# The prices that the simulated Zeliq bills: small budgets still buy.
_ZELIQ = zeliq.Options(api_key=SecretStr("key-z-0"), price=zeliq.Price(email=Decimal(1), phone=Decimal(10)))
PROVIDERS = ("zeliq", "fullenrich")
ORDERS = (("zeliq",), ("fullenrich",), ("zeliq", "fullenrich"), ("fullenrich", "zeliq"))
CAPS = ((None, None), (None, None), (25, None), (33, 120), (12, 300))  # credits a day, and in thirty days
REFRESH = 15 * DAY  # after which values of ours are verified again, in some histories
ACCEPTED = (
    frozenset({Grade.VALID}),
    frozenset({Grade.VALID, Grade.CATCH_ALL}),
    frozenset({Grade.VALID, Grade.PROBABLE, Grade.CATCH_ALL}),
)


@dataclass(frozen=True, slots=True)
class Former:
    """What was in force from a moment on."""

    since: float
    sync: Sync


class Configuration:
    """What is configured. `now` is what the running daemon has read, `wanted` what it will read at its next start."""

    def __init__(
        self,
        rng: random.Random,
        changes: random.Random,
        money: random.Random | None,
        policies: random.Random | None,
        path: Path,
        crms: tuple[str, ...],
    ) -> None:
        self._rng, self._money = changes, money
        settings = _settings(rng, path, crms)
        if policies is not None:
            settings = replace(settings, syncs=tuple(_with_policies(policies, sync) for sync in settings.syncs))
            settings = replace(settings, syncs=tuple(_with_refresh(policies, sync) for sync in settings.syncs))
        budgets = () if money is None else spending.draw(money, settings.syncs)
        self.now = self.wanted = replace(settings, budgets=budgets)
        self.history: dict[str, list[Former]] = {sync.crm: [Former(0.0, sync)] for sync in self.now.syncs}
        self._gone: dict[str, Mapping[Field, FieldPolicy]] = {}  # fields that were taken out, by CRM
        self.first_names = {name: name for name in self.now.connections}  # of every name that a connection ever had
        self.called = dict(self.first_names)  # what each connection is called, by its first name
        self._to_be_called = dict(self.called)

    def read(self, at: float) -> Settings:
        """A start: what is wanted counts from now on."""
        for sync in self.wanted.syncs:
            if self.history[sync.crm][-1].sync != sync:
                self.history[sync.crm].append(Former(at, sync))
        self.now, self.called = self.wanted, dict(self._to_be_called)
        return self.now

    def as_called(self, settings: Settings) -> Settings:
        """The same settings, with the names that connections have now."""
        connections = {
            self.called[name]: replace(one, name=self.called[name]) for name, one in settings.connections.items()
        }
        syncs = tuple(map(self._sync_as_called, settings.syncs))
        return replace(settings, connections=connections, syncs=syncs, budgets=self._budgets_as_called(settings))

    def _budgets_as_called(self, settings: Settings) -> tuple[NamedBudget, ...]:
        return tuple(
            one.model_copy(update={"providers": one.providers and tuple(self.called[name] for name in one.providers)})
            for one in settings.budgets
        )

    def _sync_as_called(self, sync: Sync) -> Sync:
        fields = {
            fld: replace(policy, providers=tuple(self.called[name] for name in policy.providers))
            for fld, policy in sync.fields.items()
        }
        return replace(sync, crm=self.called[sync.crm], fields=fields)

    def change(self) -> str:
        """The operator edits a sync or renames a connection; returns a sentence, or "" where that changed nothing."""
        what = self._rng.choice([*_CHANGES, *[_CONNECTION] * 2])
        if what == _CONNECTION:
            return self._rename_connection()
        syncs = list(self.wanted.syncs)
        place = self._rng.randrange(len(syncs))
        changed = _CHANGES[what](self, syncs[place])
        before, syncs[place] = syncs[place], changed
        self.wanted = replace(self.wanted, syncs=tuple(syncs), budgets=self._other_budgets(what, before, changed))
        return "" if changed == before else f"{before.name}: {what}"

    def _other_budgets(self, what: str, before: Sync, changed: Sync) -> tuple[NamedBudget, ...]:
        """They are drawn anew now and then; and a sync's new name is written into them, too."""
        if what == "other_budget" and self._money is not None and self._money.random() < 0.5:
            return spending.draw(self._money, self.wanted.syncs)
        names = {before.name: changed.name}
        return tuple(
            one.model_copy(update={"syncs": one.syncs and tuple(names.get(name, name) for name in one.syncs)})
            for one in self.wanted.budgets
        )

    # --- for the judge ------------------------------------------------------------------------

    def sync_of(self, crm: str) -> Sync:
        """The one that looks after a CRM now."""
        return self.history[crm][-1].sync

    def matched_since(self, crm: str) -> float:
        """When the filter that is in force now came to be."""
        since, match = self.history[crm][-1].since, self.history[crm][-1].sync.match
        for former in reversed(self.history[crm]):
            if former.sync.match != match:
                break
            since = former.since
        return since

    def may_replace_a_programs(self, crm: str, fld: Field) -> bool:
        """Was it ever allowed to replace what is not ours?"""
        policies = [former.sync.fields[fld] for former in self.history[crm] if fld in former.sync.fields]
        return any(policy.writes is WritePolicy.BETTER for policy in policies)

    def names(self, crm: str) -> set[str]:
        """All names under which a CRM was looked after."""
        return {former.sync.name for former in self.history[crm]}

    def cap(self, crm: str, since: float, cap: Callable[[Budget], Decimal | None]) -> Decimal | None:
        """The highest cap that was in force at any time since a moment; None: there was none for a while."""
        ends = [former.since for former in self.history[crm][1:]] + [float("inf")]
        found = [cap(former.sync.budget) for former, end in zip(self.history[crm], ends, strict=True) if end >= since]
        caps = [one for one in found if one is not None]
        return max(caps) if len(caps) == len(found) else None

    def shortest(self, crm: str, *, found: bool) -> float:
        """Seconds for which an answer counted at least, whatever was configured. `found`: a find, not a miss."""
        syncs = [former.sync for former in self.history[crm]]
        return min(sync.reuse_found if found else sync.retry_not_found for sync in syncs)

    def longest_for_a_miss(self, crm: str) -> float:
        """Seconds for which a miss counted at most, whatever was configured."""
        return max(former.sync.retry_not_found for former in self.history[crm])

    # --- what changes -------------------------------------------------------------------------

    def _rename_connection(self) -> str:
        first = self._rng.choice(sorted(self.called))
        before, name = self._to_be_called[first], f"{first}-{self._rng.randrange(10**6)}"
        self._to_be_called[first], self.first_names[name] = name, first
        return f"{before}: {_CONNECTION}"

    def _renamed(self, sync: Sync) -> Sync:
        return replace(sync, name=f"sync-{sync.crm}-{self._rng.randrange(10**6)}")

    def _providers(self, sync: Sync) -> Sync:
        return self._of_a_field(sync, lambda policy: replace(policy, providers=self._rng.choice(ORDERS)))

    def _accept(self, sync: Sync) -> Sync:
        return self._of_a_field(sync, lambda policy: replace(policy, accept=self._rng.choice(ACCEPTED)))

    def _of_a_field(self, sync: Sync, edit: Callable[[FieldPolicy], FieldPolicy]) -> Sync:
        fld = self._rng.choice(sorted(sync.fields))
        return replace(sync, fields={**sync.fields, fld: edit(sync.fields[fld])})

    def _ages(self, sync: Sync) -> Sync:
        return replace(
            sync,
            retry_not_found=self._rng.choice((90 * DAY, 20 * DAY, 5 * DAY)),
            reuse_found=min(self._rng.choice((90 * DAY, 90 * DAY, 15 * DAY)), _longest(sync)),
        )

    def _match(self, sync: Sync) -> Sync:
        return replace(sync, match=self._rng.choice(({}, {"team": "a"})))

    def _refill(self, sync: Sync) -> Sync:
        return self._of_a_field(sync, lambda policy: replace(policy, refill=not policy.refill))

    def _fields(self, sync: Sync) -> Sync:
        """One is taken out, or put back as it was."""
        gone = self._gone.pop(sync.crm, None)
        if gone is not None:
            return replace(sync, fields={**gone, **sync.fields})
        out = self._rng.choice(sorted(sync.fields))
        self._gone[sync.crm] = {out: sync.fields[out]}
        return replace(sync, fields={fld: policy for fld, policy in sync.fields.items() if fld is not out})

    def _budget(self, sync: Sync) -> Sync:
        return replace(sync, budget=_budget(self._rng))


_CONNECTION = "renamed_connection"
_CHANGES: Mapping[str, Callable[[Configuration, Sync], Sync]] = {
    "renamed": Configuration._renamed,
    "other_providers": Configuration._providers,
    "other_accept": Configuration._accept,
    "other_ages": Configuration._ages,
    "other_budget": Configuration._budget,
    "other_match": Configuration._match,
    "other_refill": Configuration._refill,
    "other_fields": Configuration._fields,
}


def _settings(rng: random.Random, path: Path, crms: tuple[str, ...]) -> Settings:
    """A configuration, drawn: policies, holds, order of providers, budgets."""
    connections = {name: _connection(name, Port.CRM, Options(), rng) for name in crms}
    connections["zeliq"] = _connection("zeliq", Port.PROVIDER, _ZELIQ, rng)
    options = fullenrich.Options(api_key=SecretStr("key-f-0"))
    connections["fullenrich"] = _connection("fullenrich", Port.PROVIDER, options, rng)
    return Settings(
        ledger=Ledger.model_construct(path=path, keep=Keep.model_construct(raw=1e9, jobs=1e9), reserve=0),
        callbacks=Callbacks(public_url="https://syncd.example.com", secrets=(SecretStr("s" * 40),)),
        admin=Admin(),
        log=Log(),
        rehearsal=None,
        connections=connections,
        syncs=tuple(_sync(rng, name) for name in crms),
    )


def _connection(name: str, port: Port, options: Any, rng: random.Random) -> Connection:
    return Connection(
        name=name,
        connector=name,
        port=port,
        base_url=None,
        in_doubt_policy=rng.choice(list(InDoubtPolicy)),
        in_doubt_hold=rng.choice((4 * HOUR, DAY, 2 * DAY)),
        options=options,
    )


def _sync(rng: random.Random, crm: str) -> Sync:
    def policy(name: str) -> FieldPolicy:
        return FieldPolicy(property=name, also=(), providers=rng.choice(ORDERS), accept=ACCEPTED[0])

    budget = _budget(rng)
    return Sync(
        name=f"sync-{crm}",
        crm=crm,
        object="contacts",
        schedule=None,
        every=HOUR,
        match={},
        fields={fld: policy(name) for fld, name in PROPERTY.items()},
        budget=budget,
        retry_not_found=rng.choice((90 * DAY, 90 * DAY, 20 * DAY, 3 * DAY)),
        when_unavailable=rng.choice(list(WhenUnavailable)),
        paused=False,
        on_doubt=rng.choice((OnDoubt.REVIEW, OnDoubt.REVIEW, OnDoubt.NEXT)),
        review_within=rng.choice((3 * DAY, 14 * DAY)),
    )


def _with_policies(rng: random.Random, sync: Sync) -> Sync:
    """In every second history values may be replaced."""
    if rng.random() < 0.5:
        return sync
    writes = list(WritePolicy)
    return replace(sync, fields={fld: replace(one, writes=rng.choice(writes)) for fld, one in sync.fields.items()})


def _longest(sync: Sync) -> float:
    """For how many seconds a find may count at most: not longer than until values of ours are verified again."""
    return min((one.refresh for one in sync.fields.values() if one.refresh is not None), default=float("inf"))


def _with_refresh(rng: random.Random, sync: Sync) -> Sync:
    """In every second history values of ours are verified again; a find counts for no longer than that."""
    if rng.random() < 0.5:
        return sync
    fields = {fld: replace(one, refresh=REFRESH) for fld, one in sync.fields.items()}
    return replace(sync, reuse_found=REFRESH, fields=fields)


def _budget(rng: random.Random) -> Budget:
    per_day, per_month = rng.choice(CAPS)
    return Budget(
        credits_per_day=None if per_day is None else Decimal(per_day),
        credits_per_month=None if per_month is None else Decimal(per_month),
    )
