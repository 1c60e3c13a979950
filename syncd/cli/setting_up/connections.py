"""The first connections: what opens each of them is asked for, and tried at once."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pydantic_core import PydanticUndefined

from syncd import compose
from syncd.cli import findings
from syncd.cli.output import note, page, tell
from syncd.config import Connection, Kind, Port
from syncd.config.core_schema import value as plain_value
from syncd.config.document import Report
from syncd.config.secret import Secrets
from syncd.config.sections import InDoubtRule
from syncd.config.shape import fit, secret_fields
from syncd.contract.errors import ConfigError, SyncdError
from syncd.contract.model import Finding, Level, Selection
from syncd.contract.pacing import Clock
from syncd.contract.ports import Crm, Options, Provider, Tools
from syncd.registry import Registry

from .answers import Answers
from .draft import DraftConnection


class Refused(SyncdError):
    """A vendor does not take what it was given, and nobody can be asked for something else."""


@dataclass
class Connections:
    """Asks, and tries each answer at once."""

    answers: Answers
    registry: Registry
    clock: Clock
    base_urls: Mapping[str, str]
    made: dict[str, Connection] = field(default_factory=dict)

    def kinds(self, port: Port) -> dict[str, Kind]:
        """All connectors for a port."""
        known = [self.registry.kind(name) for name in self.registry.names()]
        return {one.name: one for one in known if one.port is port}

    def raise_if_incomplete(self, kinds: Sequence[Kind]) -> None:
        """Where nobody can be asked: everything that is missing, before anything is tried."""
        if not self.answers.interactive:
            for kind in kinds:
                self._answered(kind)
            self.answers.raise_if_missing()

    def connection(self, kind: Kind) -> DraftConnection:
        """Ask for what opens an account until the vendor takes it, or the operator keeps it as it is."""
        keys = page(kind.capabilities.keys) if kind.capabilities.keys else "its maker"
        tell(f"\n{kind.capabilities.title}: which key and rights it needs, says {keys}")
        while True:
            draft = self._answered(kind)
            options = self._fitting(kind, draft)
            if options is not None:
                self.made[kind.name] = _connection(kind, options, draft.base_url)
                if self.is_taken(kind.name, []):
                    return draft
                if self.answers.interactive and not self.answers.agreed("Ask for it again?", default=True):
                    return draft
            self.once_more(kind.name, [f"{kind.name}.{key}" for key in (*draft.options, *draft.secrets)])

    def once_more(self, who: str, keys: Sequence[str]) -> None:
        """Forget these answers, so that they are asked for again; raises Refused where nobody can be."""
        if not self.answers.interactive:
            raise Refused(f"{who}: see above; nothing was written")
        self.answers.forget(keys)

    def _answered(self, kind: Kind) -> DraftConnection:
        """What was given, or is asked for now."""
        hidden = set(secret_fields(kind.options))
        prefix = f"{kind.name}."
        given = {key.removeprefix(prefix) for key in self.answers.given if key.startswith(prefix)} - {"way"}
        asked = self._asked(kind)
        options: dict[str, Any] = {}
        secrets: dict[str, str] = {}
        for key in [*asked, *sorted(given.difference(asked))]:
            if key in hidden:
                secrets[key] = self.answers.secret(prefix + key, _question(kind.options, key))
            else:
                options[key] = _plain(kind.options, key, self._text(kind, key))
        return DraftConnection(
            name=kind.name,
            connector=kind.name,
            title=kind.capabilities.title,
            keys=kind.capabilities.keys,
            options=options,
            secrets=secrets,
            base_url=self.base_urls.get(kind.name),
        )

    def _asked(self, kind: Kind) -> list[str]:
        """The options without which nothing works, those of one way in, and those that are better chosen."""
        fields = kind.options.model_fields
        needed = [key for key, one in fields.items() if one.is_required()]
        ways = kind.options.ways_in
        way: Sequence[str] = ()
        if ways:
            known = {name: ", ".join(keys) for name, keys in ways.items()}
            way = ways[self.answers.several(f"{kind.name}.way", "How does syncd log in?", known, [next(iter(ways))])[0]]
        return list(dict.fromkeys((*needed, *way, *kind.options.chosen)))

    def _text(self, kind: Kind, key: str) -> str:
        one = kind.options.model_fields.get(key)
        default = None if one is None or one.default in (PydanticUndefined, None) else str(one.default)
        return self.answers.text(f"{kind.name}.{key}", _question(kind.options, key), default)

    def _fitting(self, kind: Kind, draft: DraftConnection) -> Options | None:
        """The options, or None after saying what is wrong with them."""
        report = Report(kind.name)
        for value in draft.secrets.values():
            report.hide(value)
        unused = Secrets(report, {}, Path())
        options = fit(kind.options, {**draft.options, **draft.secrets}, (), report, unused)
        problems = [one.removeprefix(f"{kind.name}:1: ") for one in report.problems]
        if problems and not self.answers.interactive:
            raise ConfigError([f"{kind.name}: {one}" for one in problems])
        for one in problems:
            note(one)
        return options

    def is_taken(self, name: str, selections: Sequence[Selection]) -> bool:
        """Show what a connection finds out about itself, or about these selections. Is nothing wrong with it?"""
        found = asyncio.run(self._found(name, selections))
        for one in found:
            if one.selection is not None or one.level is not Level.OK or not selections:
                findings.show(one, name)
        return not findings.failed(found)

    async def _found(self, name: str, selections: Sequence[Selection]) -> list[Finding]:
        made: Any = self.make(name)
        is_crm = self.made[name].port is Port.CRM
        try:
            return await findings.asked(made.check(selections) if is_crm else made.check())
        finally:
            await made.aclose()

    def make(self, name: str) -> Crm | Provider:
        """An instance of a connection, to be closed by whoever asks for it."""
        tools = Tools(self.clock, random.Random(), compose.NoMemory())  # noqa: S311 - jitter, no secret
        return self.registry.make(self.made[name], tools)


def _connection(kind: Kind, options: Options, base_url: str | None) -> Connection:
    rule = InDoubtRule()
    return Connection(
        name=kind.name,
        connector=kind.name,
        port=kind.port,
        base_url=base_url,
        in_doubt_policy=rule.policy,
        in_doubt_hold=rule.hold,
        options=options,
    )


def _question(options: type[Options], key: str) -> str:
    one = options.model_fields.get(key)
    return f"{key}: {one.description.rstrip('.')}" if one is not None and one.description else key


def _plain(options: type[Options], key: str, text: str) -> Any:
    """As it is written in YAML: a number where a text is no answer."""
    one = options.model_fields.get(key)
    return text if one is None or one.annotation is str or isinstance(one.default, str) else plain_value(text)
