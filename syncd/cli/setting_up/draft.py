"""A first configuration: what was answered, as a commented file, and its secrets as files beside it. Pure."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from syncd.contract.model import ASKED, Field, FieldMap
from syncd.contract.schema import Proposal

SECRETS = "secrets"  # the folder beside the configuration
CALLBACK = "callback"


@dataclass(frozen=True, slots=True, kw_only=True)
class DraftConnection:
    """An instance of a connector; `options` are its plain ones, by key, and `secrets` those that nobody may see."""

    name: str
    connector: str
    title: str
    keys: str  # where its key and rights are written down
    options: Mapping[str, Any] = field(default_factory=dict)
    secrets: Mapping[str, str] = field(default_factory=dict)
    base_url: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class DraftSync:
    """Which object of a CRM is looked after, and where its fields live."""

    crm: str
    object: str
    proposal: Proposal
    providers: Mapping[Field, Sequence[str]]

    @property
    def name(self) -> str:
        """What commands call it."""
        return f"{self.crm}-{self.object}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """Everything that was answered. `per_day`: the most credits a day, "" for no limit."""

    ledger: str
    public_url: str
    listen: str
    admin_listen: str
    per_day: str
    connections: Sequence[DraftConnection]
    syncs: Sequence[DraftSync]
    callback_secret: str
    rehearsal: Mapping[str, float] = field(default_factory=dict)

    def files(self) -> dict[str, str]:
        """The secrets, by their place in the folder of secrets."""
        held = {f"{c.name}.{key}": value for c in self.connections for key, value in c.secrets.items()}
        return {**held, CALLBACK: self.callback_secret} if self.public_url else held

    def text(self) -> str:
        """The configuration as YAML."""
        parts = (self._head(), self._listeners(), self._money(), self._connections(), self._syncs())
        return "\n".join(line for part in parts for line in part) + "\n"

    def _head(self) -> Iterator[str]:
        yield "# Made by `syncd init`. Every other option, with its default, is in config.example.yaml."
        yield f"# No secret stands here: each is in a file of the folder {SECRETS}/, which syncd alone may read."
        yield ""
        yield f"ledger: {{ path: {_yaml(self.ledger)} }}  # what was asked, paid and written: back it up"
        if self.rehearsal:
            yield "# Against a sandbox, whose time runs faster. Remove this line before real keys stand below."
            yield f"rehearsal: {_flow(self.rehearsal)}"
        yield ""

    def _listeners(self) -> Iterator[str]:
        if self.public_url:
            yield "callbacks:  # where providers send their answers"
            yield f"  listen: {_yaml(self.listen)}  # your proxy, which speaks TLS, passes on to here"
            yield f"  public_url: {_yaml(self.public_url)}"
            yield f"  secrets: [{_file(CALLBACK)}]"
        else:
            yield "# No section `callbacks`: answers are fetched, which takes longer and needs no way in from outside."
        yield f"admin: {{ listen: {_yaml(self.admin_listen)} }}  # pages, metrics and health, for this machine alone"
        yield ""

    def _money(self) -> Iterator[str]:
        if self.per_day:
            yield "budgets:  # in credits; a call that does not fit into all of them waits"
            yield f"  - {{ name: all, per_day: {self.per_day} }}"
        else:
            yield "# budgets: [{ name: all, per_day: 500 }]  # in credits; without it, nothing limits what is spent"
        yield ""

    def _connections(self) -> Iterator[str]:
        yield "connections:"
        for one in self.connections:
            yield f"  {one.name}:  # {one.title}; its key and rights: {one.keys}"
            yield f"    connector: {one.connector}"
            yield from (f"    {key}: {_yaml(value)}" for key, value in one.options.items())
            yield from (f"    {key}: {_file(f'{one.name}.{key}')}" for key in one.secrets)
            if one.base_url:
                yield f"    base_url: {_yaml(one.base_url)}"
        yield ""

    def _syncs(self) -> Iterator[str]:
        yield "syncs:"
        for one in self.syncs:
            yield f"  - name: {one.name}"
            yield f"    crm: {one.crm}"
            yield f"    object: {one.object}"
            yield "    every: 15m"
            yield from _left_alone(one.proposal.opt_outs)
            yield from _extras(one.proposal.fields.get(Field.LINKEDIN))
            yield "    fields:  # who is asked, in this order, until one finds it"
            for name in ASKED:
                if name in one.providers:
                    yield from _field(name, one.proposal.fields, one.providers[name])


def _left_alone(opt_outs: Sequence[str]) -> Iterator[str]:
    told = f"by {', '.join(opt_outs)}" if opt_outs else "by no property that we can see: look into the CRM's rights"
    yield f"    # Who opted out is left alone, in every record of theirs: {told}."


def _extras(profile: FieldMap | None) -> Iterator[str]:
    if profile:
        yield f"    extras: {{ linkedin: {_yaml(profile.property)} }}  # the profile's address comes along with answers"


def _field(name: Field, places: Mapping[Field, FieldMap], providers: Sequence[str]) -> Iterator[str]:
    place, mobile = places[name], places.get(Field.MOBILE)
    yield f"      {name}:"
    yield f"        property: {_yaml(place.property)}"
    yield f"        also: [{', '.join(map(_yaml, place.also))}]  # these count as having one, and are not written"
    if name is Field.PHONE and mobile and mobile.property != place.property:
        yield f"        mobile: {_yaml(mobile.property)}  # mobile numbers are written here"
    yield f"        providers: [{', '.join(providers)}]"
    yield "        accept: [valid]  # also: probable, catch_all, unknown"


def _file(name: str) -> str:
    return f"{{ file: {_yaml(f'{SECRETS}/{name}')} }}"


def _flow(values: Mapping[str, Any]) -> str:
    return f"{{ {', '.join(f'{key}: {_yaml(value)}' for key, value in values.items())} }}"


def _yaml(value: Any) -> str:
    """A scalar: JSON is YAML."""
    return json.dumps(value, ensure_ascii=False)
