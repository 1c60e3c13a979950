"""The questions of `syncd init` in their order: CRM, providers, fields, then how this host is reached, and money."""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import replace

from syncd.config import Kind, Port
from syncd.config.scalars import Listen, SafeUrl
from syncd.config.sections import Credits
from syncd.contract.errors import ConfigError
from syncd.contract.model import ASKED, Field
from syncd.contract.ports import CrmCapabilities, ProviderCapabilities
from syncd.contract.schema import Proposal

from . import places
from .answers import Answers
from .connections import Connections
from .draft import Draft, DraftConnection, DraftSync

PER_DAY = "100"  # credits: what a mistake may cost


def drafted(connections: Connections, rehearsal: Mapping[str, float]) -> Draft:
    """Everything that a first configuration says. `rehearsal`: the clock of a sandbox, if it is for one."""
    answers = connections.answers
    crms = _chosen(connections, Port.CRM, "crm", "Which CRM?")
    providers = _chosen(connections, Port.PROVIDER, "provider", "Which providers, in the order of being asked?")
    wanted = answers.several("field", "Which fields?", {one.value: one.value for one in ASKED}, list(ASKED))
    connections.raise_if_incomplete([*crms, *providers])
    made = [connections.connection(kind) for kind in (*crms, *providers)]
    who = {Field(name): _who_finds(Field(name), providers) for name in wanted}
    syncs = [sync for crm in crms for sync in _syncs(connections, crm, {name: one for name, one in who.items() if one})]
    url = _public_url(answers, providers, rehearsal)
    return Draft(
        ledger=answers.text(
            "ledger", "\nWhere is the ledger to stand, seen from the configuration?", "ledger/ledger.db"
        ),
        public_url=url,
        listen=answers.text("listen", "Where does syncd take callbacks?", "127.0.0.1:8080", kind=Listen) if url else "",
        admin_listen=answers.text("admin", "Where are pages and metrics to be?", "127.0.0.1:8081", kind=Listen),
        per_day=_per_day(answers),
        connections=[_with(one, syncs) for one in made],
        syncs=syncs,
        callback_secret=secrets.token_hex(32),
        rehearsal=rehearsal,
    )


def _chosen(connections: Connections, port: Port, key: str, question: str) -> list[Kind]:
    known, answers = connections.kinds(port), connections.answers
    titles = {name: one.capabilities.title for name, one in known.items()}
    if key not in answers.given and not answers.interactive:
        raise ConfigError([f"init needs --{key}; there is: {', '.join(known)}"])
    return [known[name] for name in answers.several(key, question, titles, [next(iter(known))])]


def _who_finds(name: Field, providers: Sequence[Kind]) -> list[str]:
    able = [(one.name, one.capabilities) for one in providers]
    return [who for who, can in able if isinstance(can, ProviderCapabilities) and name in can.fields]


def _syncs(connections: Connections, crm: Kind, who: Mapping[Field, Sequence[str]]) -> list[DraftSync]:
    """One for each object of a CRM that is to be looked after."""
    known = dict.fromkeys(crm.capabilities.objects) if isinstance(crm.capabilities, CrmCapabilities) else {}
    answers = connections.answers
    named = [name for name in answers.given.get("object", "").split(",") if name in known]
    question = f"Which objects of {crm.capabilities.title}?"
    objects = named or answers.several(f"objects of {crm.name}", question, {one: one for one in known}, list(known))
    found = {name: places.agreed(connections, crm, name, who.keys()) for name in objects}
    return [_sync(crm.name, name, proposal, who) for name, proposal in found.items()]


def _sync(crm: str, name: str, proposal: Proposal, who: Mapping[Field, Sequence[str]]) -> DraftSync:
    asked = {field: providers for field, providers in who.items() if field in proposal.fields}
    return DraftSync(crm=crm, object=name, proposal=proposal, providers=asked)


def _with(one: DraftConnection, syncs: Sequence[DraftSync]) -> DraftConnection:
    """With the options that its schema makes necessary."""
    more = {key: value for sync in syncs if sync.crm == one.name for key, value in sync.proposal.options.items()}
    return replace(one, options={**one.options, **more})


def _public_url(answers: Answers, providers: Sequence[Kind], rehearsal: Mapping[str, float]) -> str:
    """Where providers send their answers; "" where all of them can be asked for."""
    silent = [one.name for one in providers if getattr(one.capabilities, "poll_after", None) is None]
    local = f"http://{answers.given.get('listen', '127.0.0.1:8080')}" if rehearsal else None
    fetched = "; empty: answers are fetched" if not silent else f"; {', '.join(silent)} answers by callback alone"
    question = f"\nPublic URL of this host, such as https://enrich.example.com{fetched}"
    url = answers.text("public_url", question, local or (None if silent else ""), kind=SafeUrl)
    answers.raise_if_missing()
    if silent and not url:
        raise ConfigError([f"{', '.join(silent)} answers by callback alone: give --public-url"])
    return url


def _per_day(answers: Answers) -> str:
    question = "The most credits that a day may cost (0: no limit)"
    told = answers.text("per_day", question, PER_DAY, kind=Credits)
    return "" if told in ("", "0") else told
