"""From a file to settings: reads, resolves, checks, and reports every problem at once.

In here: the order of things, and what one section says about another. Not in here: the
shape of a single section (`sections`), or of a single value (`scalars`).
"""

from __future__ import annotations

import hashlib
import json
import ssl
from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from syncd.contract.errors import BrokenInvariant, ConfigError
from syncd.contract.model import ASKED, Field, FieldMap
from syncd.contract.network import Network
from syncd.contract.ports import CrmCapabilities, ProviderCapabilities
from syncd.ledger.place import Url

from .alerting import secrets_in
from .document import Report, Where, read
from .places import Places, as_written
from .scalars import Address
from .scalars import name as valid_name
from .secret import Secrets, is_secret
from .sections import (
    DAY,
    Admin,
    AgesSection,
    Alert,
    Approve,
    Budget,
    Callbacks,
    ConnectionSection,
    Document,
    Extras,
    FieldSection,
    Ledger,
    Log,
    NamedBudget,
    NetworkSection,
    OnLedgerDown,
    PartialAges,
    People,
    PhoneFormat,
    Prefer,
    Rehearsal,
    SyncSection,
    Traces,
)
from .settings import KINDS, Connection, FieldPolicy, Kind, Kinds, Port, Settings, Sync
from .shape import M, fit, secret_fields, suggest

_PROXIES = ("HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy")


def load(path: Path, environ: Mapping[str, str], *, registry: Kinds, secrets: bool = True) -> Settings:
    """Read a configuration; `environ` is where `${NAME}` and systemd's credentials come from.

    Without `secrets`, for what needs the ledger alone: references may lead nowhere, what is wrong elsewhere than in
    the section `ledger` becomes a warning, and what can't be read is left out.

    Raises ConfigError with all problems, each `file:line: key: what is wrong; what to do`. What is
    doubtful without being wrong (secrets in clear text …) is in `Settings.warnings`, in that form.
    """
    report = Report(str(path))
    raw = read(path, report)
    if not isinstance(raw, dict):
        report.problem((), "must be a mapping of sections; begin from config.example.yaml")
        raw = {}
    report.raise_if_any()
    loader = _Loader(raw, report, environ=environ, registry=registry, folder=path.parent, strict=secrets)
    return loader.settings()


class _Loader:
    """One reading of one file."""

    def __init__(
        self,
        raw: dict[str, Any],
        report: Report,
        *,
        environ: Mapping[str, str],
        registry: Kinds,
        folder: Path,
        strict: bool,
    ) -> None:
        self._strict = strict
        self._report = report
        self._secrets = secrets = Secrets(report, environ, folder, needed=strict)
        self._registry = registry
        self._environ = environ
        self._folder = folder
        self._kinds: dict[str, Kind] = {}  # by connection, also of those whose options are wrong
        self._as_written = raw
        self._raw = {
            key: self._resolved_syncs(value) if key == "syncs" else secrets.resolve(value, (key,))
            for key, value in raw.items()
        }

    def _resolved_syncs(self, raw: Any) -> Any:
        """With their references replaced, but for `match`: a CRM's filter terms are the CRM's own language."""
        if not isinstance(raw, list):
            return raw
        return [
            {key: self._resolved_part(key, part, ("syncs", position)) for key, part in sync.items()}
            if isinstance(sync, dict)
            else sync
            for position, sync in enumerate(raw)
        ]

    def _resolved_part(self, key: str, part: Any, where: Where) -> Any:
        if key != "match":
            return self._secrets.resolve(part, (*where, key))
        self._secrets.refuse(part, (*where, key))
        self._refuse_ambiguous((*where, key))
        return part

    def _refuse_ambiguous(self, where: Where) -> None:
        """A CRM compares texts: where a plain number, say, is not spelled as it would be told, say so."""
        for place, (text, value) in self._report.written.items():
            if place[: len(where)] != where or place == where:
                continue
            if value is None:
                self._report.problem(place, "is empty; write a value, in quotes if it is the text null")
            elif text != (spelled := json.dumps(value)):
                what = f"is read as {spelled}; write {spelled}, or put it in quotes if it is text"
                self._report.problem(place, what)

    def settings(self) -> Settings:
        for key in self._raw.keys() - Document.model_fields.keys():
            self._report.problem((key,), f"unknown key; {suggest(key, Document.model_fields)}")
        ledger = self._section("ledger", Ledger)
        callbacks = self._callbacks() if "callbacks" in self._raw else None
        admin = self._section("admin", Admin) if "admin" in self._raw else Admin()
        log = self._section("log", Log) if "log" in self._raw else Log()
        rehearsal = self._section("rehearsal", Rehearsal) if "rehearsal" in self._raw else None
        people = self._section("people", People) if "people" in self._raw else People()
        alerts = self._alerts()
        traces = self._section("traces", Traces) if self._raw.get("traces") is not None else None
        network, resolver = self._network()
        self._check_listeners(callbacks, admin)
        connections = self._connections()
        syncs = self._syncs(callbacks)
        budgets = self._budgets(syncs)
        self._check_kept(syncs, ledger.keep.jobs if ledger is not None else None)
        if self._strict or ledger is None:
            self._report.raise_if_any()
        else:  # what could not be read is not needed
            admin, log, people = admin or Admin(), log or Log(), people or People()
        if ledger is None or admin is None or log is None or people is None:
            raise BrokenInvariant("a section is missing without a problem")
        settings = Settings(
            ledger=self._placed(ledger),
            callbacks=callbacks,
            admin=admin,
            log=log,
            rehearsal=rehearsal,
            people=people,
            budgets=budgets,
            alerts=alerts,
            traces=traces,
            network=network,
            resolver=resolver,
            connections=connections,
            syncs=syncs,
            warnings=self._report.warnings if self._strict else self._report.problems,
        )
        written = dict(as_written(self._as_written, settings.secrets, is_secret))
        return replace(settings, places=Places(self._report.file, self._report.lines, written))

    def _placed(self, ledger: Ledger) -> Ledger:
        if ledger.path is None:
            if isinstance(ledger.place, Url) and ledger.place.secrets:
                self._secrets.warn_if_clear(("ledger", "url"))
            return ledger
        return ledger.model_copy(update={"path": self._folder / ledger.path})

    def _callbacks(self) -> Callbacks | None:
        made = self._section("callbacks", Callbacks)
        if made is None:
            return None
        spool = made.spool.model_copy(update={"path": self._folder / made.spool.path})
        return made.model_copy(update={"spool": spool})

    def _section(self, key: str, model: type[M]) -> M | None:
        if key not in self._raw:
            self._report.problem((key,), "is missing; add it, as in config.example.yaml")
            return None
        return self._fit(model, self._raw[key], (key,))

    def _fit(self, model: type[M], value: Any, where: Where) -> M | None:
        return fit(model, value, where, self._report, self._secrets)

    def _alerts(self) -> tuple[Alert, ...]:
        raw = self._raw.get("alerts")
        if raw is None:
            return ()
        if not isinstance(raw, list):
            self._report.problem(("alerts",), 'must be a list, such as: - { to: "mailto://…", on: [budget, halted] }')
            return ()
        for position, value in enumerate(raw):
            to = value.get("to") if isinstance(value, dict) else None
            if isinstance(to, str):
                self._report.hide(to)
                if secrets_in(to):
                    self._secrets.warn_if_clear(("alerts", position, "to"))
        made = [self._fit(Alert, value, ("alerts", position)) for position, value in enumerate(raw)]
        return tuple(one for one in made if one is not None)

    def _check_listeners(self, callbacks: Callbacks | None, admin: Admin | None) -> None:
        for position, secret in enumerate(callbacks.secrets if callbacks else ()):
            self._secrets.warn_if_clear(("callbacks", "secrets", position))
            self._secrets.refuse_unusable(("callbacks", "secrets", position), secret.get_secret_value(), blanks=True)
        if admin and admin.token:
            self._secrets.warn_if_clear(("admin", "token"))
            self._secrets.refuse_unusable(("admin", "token"), admin.token.get_secret_value())
        if admin and not admin.token and not admin.listen.loopback:
            self._report.problem(
                ("admin", "listen"), "is open to other machines without a token; listen on 127.0.0.1 or set admin.token"
            )
        if admin and callbacks and admin.listen == callbacks.listen and admin.listen.port:
            self._report.problem(("admin", "listen"), "is the address of callbacks.listen; choose another port")

    def _network(self) -> tuple[Network, Address | None]:
        section = self._section("network", NetworkSection) if "network" in self._raw else NetworkSection()
        if section is None:
            return Network(), None
        proxy = section.proxy.get_secret_value() if section.proxy else ""
        if "@" in proxy:
            self._secrets.warn_if_clear(("network", "proxy"))
        if not proxy and (name := next(filter(self._environ.get, _PROXIES), None)):
            what = f"{name} is set where syncd is started, and does not count; write it here if calls are to go there"
            self._report.warn(("network", "proxy"), what)
        file = None if section.ca_file is None else self._folder / section.ca_file
        if file is None:
            return Network(proxy=proxy), section.resolver
        digest, wrong = _authorities(file)
        if wrong:
            self._report.problem(("network", "ca_file"), wrong)
        return Network(proxy=proxy, ca_file=file, ca_digest=digest), section.resolver

    # --- connections --------------------------------------------------------------------------

    def _connections(self) -> dict[str, Connection]:
        raw = self._raw.get("connections")
        if not isinstance(raw, dict) or not raw:
            self._report.problem(("connections",), "needs at least one CRM and one provider; see config.example.yaml")
            return {}
        made = [self._connection(name, value) for name, value in raw.items()]
        return {connection.name: connection for connection in made if connection}

    def _connection(self, name: str, raw: Any) -> Connection | None:
        where: Where = ("connections", name)
        try:
            valid_name(name)
        except ValueError as error:
            self._report.problem(where, str(error))
        section = self._fit(ConnectionSection, raw, where)
        kind = self._kind(raw.get("connector") if isinstance(raw, dict) else None, where)
        if kind is None:
            return None
        self._kinds[name] = kind
        own = {key: value for key, value in raw.items() if key not in ConnectionSection.model_fields}
        for key in self._secrets.clear_keys(own, secret_fields(kind.options)):
            self._report.hide(own[key])
            self._secrets.warn_if_clear((*where, key))
            self._secrets.refuse_unusable((*where, key), own[key])
        options = fit(kind.options, own, where, self._report, self._secrets, beside=ConnectionSection.model_fields)
        if options is None and not self._strict:
            self._report.problem(where, "can't be read as a whole without what its references lead to")
            options = kind.options.model_construct()
        if section is None or options is None:
            return None
        return Connection(
            name=name,
            connector=kind.name,
            port=kind.port,
            base_url=section.base_url,
            in_doubt_policy=section.in_doubt.policy,
            in_doubt_hold=section.in_doubt.hold,
            expired=section.expired,
            floor=section.floor,
            on_ledger_down=section.on_ledger_down or _usual_refuge(kind),
            options=options,
        )

    def _kind(self, name: Any, where: Where) -> Kind | None:
        if not isinstance(name, str):
            return None
        try:
            return self._registry.kind(name)
        except ConfigError as error:
            for problem in error.problems:
                self._report.problem((*where, "connector"), problem)
            return None

    # --- syncs --------------------------------------------------------------------------------

    def _syncs(self, callbacks: Callbacks | None) -> tuple[Sync, ...]:
        raw = self._raw.get("syncs")
        if not isinstance(raw, list) or not raw:
            self._report.problem(("syncs",), "needs a list with at least one sync; see config.example.yaml")
            return ()
        made: list[Sync] = []
        for position, value in enumerate(raw):
            where: Where = ("syncs", position)
            if isinstance(value, dict):
                self._check_sync(value, where)
                if value.get("name") in [sync.name for sync in made]:
                    self._report.problem((*where, "name"), "is taken by a sync above; choose another")
            section = self._fit(SyncSection, value, where)
            if section is not None:
                sync = self._sync(section, callbacks)
                self._check_neighbours(sync, made, where)
                self._check_refresh(sync, where)
                made.append(sync)
        return tuple(made)

    # --- budgets ------------------------------------------------------------------------------

    def _budgets(self, syncs: tuple[Sync, ...]) -> tuple[NamedBudget, ...]:
        raw = self._raw.get("budgets", [])
        if not isinstance(raw, list):
            self._report.problem(
                ("budgets",), "must be a list, such as: - { name: all, per_day: 500, per_month: 10000 }"
            )
            return ()
        taken = {sync.name: "by the budget of the sync of that name" for sync in syncs if sync.budget != Budget()}
        made: list[NamedBudget] = []
        for position, value in enumerate(raw):
            where: Where = ("budgets", position)
            section = self._fit(NamedBudget, value, where)
            if section is None:
                continue
            if section.name in taken:
                self._report.problem((*where, "name"), f"is taken {taken[section.name]}; choose another")
            taken[section.name] = "by a budget above"
            self._check_scope(section, where)
            made.append(section)
        return tuple(made)

    def _check_scope(self, budget: NamedBudget, where: Where) -> None:
        """What a budget names is there, and it limits something."""
        declared = self._raw.get("syncs")
        names = [one.get("name") for one in declared if isinstance(one, dict)] if isinstance(declared, list) else []
        for position, name in enumerate(budget.syncs or ()):
            if name not in names:
                what = f"no sync is called {name!r}; {suggest(name, [str(one) for one in names])}"
                self._report.problem((*where, "syncs", position), what)
        for position, name in enumerate(budget.providers or ()):
            self._kind_at(name, Port.PROVIDER, (*where, "providers", position))
        if (budget.per_run, budget.per_day, budget.per_month) == (None, None, None):
            self._report.problem(where, "limits nothing; add per_run, per_day or per_month, in credits")

    def _check_refresh(self, sync: Sync, where: Where) -> None:
        """An answer that still counts would be the answer to the same question."""
        for field, policy in sync.fields.items():
            found = max(sync.ages(field, name).found for name in policy.providers)
            if policy.refresh is not None and policy.refresh < found:
                what = f"`refresh` of {field} must not be shorter than `found` ({found / DAY:g}d)"
                self._report.problem((*where, "ages"), what)

    def _check_kept(self, syncs: Iterable[Sync], kept: float | None) -> None:
        """A value can be verified again only while the ledger still has it; it looks for those once a day."""
        for position, sync in enumerate(syncs):
            for field, policy in sync.fields.items():
                if kept is not None and policy.refresh is not None and policy.refresh + DAY > kept:
                    what = (
                        f"`refresh` of {field} must be at least a day shorter than `ledger.keep.jobs` "
                        f"({kept / DAY:g}d), after which its value is not kept any more"
                    )
                    self._report.problem(("syncs", position, "ages"), what)

    def _check_neighbours(self, sync: Sync, above: list[Sync], where: Where) -> None:
        """A contact that two syncs pull has to mean the same to both."""
        for other in above:
            if (other.crm, other.object) != (sync.crm, sync.object):
                continue
            if other.fields.keys() != sync.fields.keys():
                what = f"must be the same as those of {other.name}, which looks after the same object"
                self._report.problem((*where, "fields"), what)
                continue
            for field in sync.fields:
                theirs, ours = other.selection.fields[field], sync.selection.fields[field]
                if theirs != ours:
                    what = (
                        f"is {_named(ours)}, and {_named(theirs)} in {other.name}, which looks after the same object: "
                        "name the same properties in both, so that a contact's value has one place"
                    )
                    self._report.problem((*where, "fields", field.value), what)

    def _sync(self, section: SyncSection, callbacks: Callbacks | None) -> Sync:
        kind = self._kinds.get(section.crm)
        usual = _usual_fields(kind, section.object) if kind else {}
        return Sync(
            name=section.name,
            crm=section.crm,
            object=section.object,
            schedule=section.schedule,
            every=section.every,
            time_zone=section.time_zone,
            match=section.match,
            fields={
                field: _policy(field, policy, usual.get(field), section.ages)
                for field, policy in section.fields.items()
            },
            budget=section.budget,
            retry_not_found=_first(section.ages.not_found, section.retry_not_found, 90 * DAY),
            reuse_found=_first(section.ages.found, 90 * DAY),
            sweep=section.sweep,
            when_unavailable=section.when_unavailable,
            paused=section.paused,
            on_doubt=section.on_doubt,
            review_within=section.review_within,
            approve=_approve(section.approve),
            verify=section.verify,
            provenance=section.provenance.model_dump(exclude_none=True, exclude={"legal_basis"}),
            legal_basis=section.provenance.legal_basis,
            request=section.request,
            extras=_extras(section.extras),
            priority=section.priority,
            buy_before_write=section.buy_before_write,
            write_within=section.write_within,
            writes_per_hour=section.writes_per_hour,
            writes_per_run=section.writes_per_run,
            canary=section.canary,
            unproved_url="" if callbacks is None or callbacks.self_check else callbacks.public_url,
        )

    def _check_sync(self, raw: dict[str, Any], where: Where) -> None:
        """What a sync says of others. From the raw values, so that one wrong shape hides nothing."""
        if ("schedule" in raw) == ("every" in raw):
            self._report.problem(where, 'say when, once: either schedule: "*/15 * * * *" or every: 15m')
        crm = self._kind_at(raw.get("crm"), Port.CRM, (*where, "crm"))
        name = raw.get("object")
        if crm and isinstance(crm.capabilities, CrmCapabilities) and name not in crm.capabilities.objects:
            what = f"{crm.name} has no such object; {suggest(str(name), crm.capabilities.objects)}"
            self._report.problem((*where, "object"), what)
            crm = None
        self._check_ages(raw.get("ages"), (*where, "ages"))
        self._check_provenance(raw, where)
        self._check_legal_basis(crm, raw.get("provenance"), where)
        callbacks = self._raw.get("callbacks")
        if raw.get("buy_before_write") == 0 and isinstance(callbacks, dict) and callbacks.get("self_check") is False:
            what = "must be 1 or more with callbacks.self_check: false: only a first answer shows that one arrives"
            self._report.problem((*where, "buy_before_write"), what)
        fields = raw.get("fields")
        for field in ASKED:
            policy = fields.get(field) if isinstance(fields, dict) else None
            if isinstance(policy, dict):
                place = (*where, "fields", field.value)
                self._check_ages(policy.get("ages"), (*place, "ages"))
                self._check_providers(field, policy.get("providers"), (*place, "providers"))
                self._check_kinds(field, policy, place)
                if crm and not policy.get("property") and field not in _usual_fields(crm, str(name)):
                    self._report.problem((*place, "property"), "the CRM has no usual property for it; name one")

    def _check_provenance(self, raw: dict[str, Any], where: Where) -> None:
        """What is told of values has properties of its own: they are set without a look at what they hold."""
        named, fields = raw.get("provenance"), raw.get("fields")
        named, fields = (one if isinstance(one, dict) else {} for one in (named, fields))
        given = [one for one in fields.values() if isinstance(one, dict)]
        taken = {name for one in given for name in (one.get("property"), one.get("mobile"), *(one.get("also") or ()))}
        kind = self._kinds.get(str(raw.get("crm")))
        usual = _usual_fields(kind, str(raw.get("object"))) if kind else {}
        taken |= {name for key, one in usual.items() if key in fields for name in (one.property, *one.also)}
        self._check_extras(raw, taken, where)
        request = raw.get("request")
        if request is not None and request in taken | {*named.values()}:
            self._report.problem((*where, "request"), "must be a property of its own, a checkbox; name another")
        named = {key: name for key, name in named.items() if key != "legal_basis"}
        for told, name in named.items():
            twice = [other for other, same in named.items() if same == name and other != told]
            if name is not None and (name in taken or twice):
                self._report.problem((*where, "provenance", told), "must be a property of its own; name another")

    def _check_legal_basis(self, crm: Kind | None, provenance: Any, where: Where) -> None:
        wanted = isinstance(provenance, dict) and provenance.get("legal_basis") is not None
        if wanted and crm and isinstance(crm.capabilities, CrmCapabilities) and not crm.capabilities.legal_basis:
            self._report.problem(
                (*where, "provenance", "legal_basis"), f"{crm.name} has no property for it; remove it here"
            )

    def _check_extras(self, raw: dict[str, Any], taken: set[Any], where: Where) -> None:
        """Two things in one property would each be taken for somebody else's value of the other."""
        named = raw.get("extras")
        places: dict[str, Any] = {}
        for key, given in named.items() if isinstance(named, dict) else ():
            name = given.get("property") if isinstance(given, dict) else given
            if name is not None and (name in taken or name in places.values()):
                self._report.problem((*where, "extras", key), "must be a property of its own; name another")
            places[key] = name
        if "linkedin" in places and "linkedin_url" in places:
            self._report.problem((*where, "extras", "linkedin_url"), "is another name of linkedin; keep one of them")

    def _check_ages(self, ages: Any, where: Where) -> None:
        """Ages of single providers name connections."""
        named = ages.get("providers") if isinstance(ages, dict) else None
        for name in named if isinstance(named, dict) else ():
            self._kind_at(name, Port.PROVIDER, (*where, "providers", name))

    def _check_kinds(self, field: Field, policy: dict[str, Any], where: Where) -> None:
        kinds = policy.get("kinds")
        for position, kind in enumerate(kinds if isinstance(kinds, list) else ()):
            if kind not in KINDS[field]:
                self._report.problem((*where, "kinds", position), f"unknown kind; {suggest(str(kind), KINDS[field])}")
        for key in ("mobile", "prefer", "format"):
            if field is not Field.PHONE and key in policy:
                self._report.problem((*where, key), "is for phones only; remove it here")
        if policy.get("mobile") and policy.get("mobile") == policy.get("property"):
            self._report.problem((*where, "mobile"), "is where all numbers are written; leave it out")

    def _check_providers(self, field: Field, names: Any, where: Where) -> None:
        for position, name in enumerate(names if isinstance(names, list) else ()):
            place = (*where, position)
            kind = self._kind_at(name, Port.PROVIDER, place)
            if kind and isinstance(kind.capabilities, ProviderCapabilities) and field not in kind.capabilities.fields:
                self._report.problem(place, f"{kind.name} can't find a {field.value}; remove it here")
            if kind and isinstance(kind.capabilities, ProviderCapabilities):
                self._check_way_back(kind.name, kind.capabilities, place)
            if name in names[:position]:
                self._report.problem(place, "is named twice; a provider is asked once")

    def _check_way_back(self, name: str, can: ProviderCapabilities, where: Where) -> None:
        """An answer that can be fetched, or comes at once, needs no callbacks."""
        if "callbacks" not in self._raw and can.poll_after is None and not can.at_once:
            what = f"{name} answers by callback alone; add the section callbacks, as in config.example.yaml"
            self._report.problem(where, what)

    def _kind_at(self, name: Any, port: Port, where: Where) -> Kind | None:
        """The kind of a connection that is used where a port is wanted, if it is usable there."""
        declared = self._raw.get("connections")
        if not isinstance(name, str) or not isinstance(declared, dict):
            return None
        kind = self._kinds.get(name)
        if kind is None:
            if name not in declared:
                self._report.problem(where, f"no connection is called {name!r}; {suggest(name, declared)}")
            return None
        if kind.port is not port:
            wanted = ", ".join(name for name, kind in self._kinds.items() if kind.port is port)
            what = f"{name!r} is a {kind.port}, not a {port}; choose one of: {wanted or 'none is configured'}"
            self._report.problem(where, what)
            return None
        return kind


def _usual_refuge(kind: Kind) -> OnLedgerDown:
    """A provider that sends a callback again is asked to; what another one sends comes once."""
    can = kind.capabilities
    again = not isinstance(can, ProviderCapabilities) or can.calls_again
    return OnLedgerDown.REFUSE if again else OnLedgerDown.SPOOL


def _authorities(file: Path) -> tuple[str, str]:
    """A digest of a file of certificates, and why it can't be used, or ""."""
    try:
        ssl.create_default_context(cafile=str(file))
        return hashlib.blake2b(file.read_bytes()).hexdigest(), ""
    except ssl.SSLError:
        return "", f"{file} holds no certificates that can be read; it must be PEM, -----BEGIN CERTIFICATE-----"
    except OSError as error:
        return "", f"{file} can't be read ({error.strerror}); name a file that syncd can read"


def _usual_fields(kind: Kind, name: str) -> Mapping[Field, FieldMap]:
    """The properties that a kind of CRM uses for the fields of an object."""
    return kind.capabilities.objects.get(name, {}) if isinstance(kind.capabilities, CrmCapabilities) else {}


def _named(one: FieldMap) -> str:
    return " and ".join(repr(name) for name in (one.property, *one.also))


def _extras(section: Extras) -> dict[Field, str]:
    """The property of each that is wanted."""
    named = section.model_dump(exclude_none=True)
    named = {key: one["property"] if isinstance(one, dict) else one for key, one in named.items()}
    return {Field.LINKEDIN if key.startswith("linkedin") else Field(key): name for key, name in named.items()}


def _approve(wanted: bool | Approve) -> int | None:
    """How many values of a run are written without a person's approval."""
    if isinstance(wanted, Approve):
        return wanted.above
    return 0 if wanted else None


def _first(*values: float | None) -> float:
    """The first that is given."""
    return next(value for value in values if value is not None)


def _ages(own: AgesSection, common: AgesSection) -> dict[str, PartialAges]:
    """What a field says, and what the sync says of single providers."""
    named = {name: common.providers[name] for name in common.providers} | {
        name: own.providers[name] for name in own.providers
    }
    whole = PartialAges(found=own.found, not_found=own.not_found)
    return {**named, **({"": whole} if whole != PartialAges() else {})}


def _policy(field: Field, section: FieldSection, usual: FieldMap | None, ages: AgesSection) -> FieldPolicy:
    """Where another property than the usual one is chosen, the usual one still counts as having it."""
    default = usual or FieldMap(property="")
    chosen = section.property or default.property
    also = (*default.also, default.property) if section.also is None else section.also
    kinds = section.kinds or [kind for kind, usual_kind in KINDS[field].items() if usual_kind]
    return FieldPolicy(
        property=chosen,
        also=tuple(name for name in dict.fromkeys((*also, section.mobile or "")) if name not in {"", chosen}),
        providers=section.providers,
        accept=frozenset(section.accept),
        kinds=frozenset(kinds),
        mobile=section.mobile,
        prefer=section.prefer or Prefer.MOBILE,
        format=section.format or PhoneFormat.E164,
        ages=_ages(section.ages, ages),
        refill=section.refill,
        writes=section.policy,
        refresh=section.ages.refresh if section.ages.refresh is not None else ages.refresh,
    )
