"""Questions of `syncd init`: answered by options and the environment, or by a person at a terminal."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import typer
from pydantic import TypeAdapter, ValidationError

from syncd.cli.output import note
from syncd.config.shape import suggest
from syncd.contract.errors import ConfigError


@dataclass
class Answers:
    """What is known already, by key, and whether somebody can be asked for the rest."""

    given: dict[str, str]
    environ: Mapping[str, str]
    interactive: bool
    missing: list[str] = field(default_factory=list)

    def text(self, key: str, question: str, default: str | None = None, *, kind: Any = str) -> str:
        """A text of this kind; "" where nobody can be asked and there is no default, which `missing` then says."""
        while True:
            if key not in self.given and not self.interactive and default is None:
                self.missing.append(f"--set {key}=…")
                return ""
            text = self._answer(key, question, default)
            if not (why := text and unfit(kind, text)):
                return text
            self._again(key, f"{text!r} {why}")

    def _answer(self, key: str, question: str, default: str | None) -> str:
        if key in self.given:
            return self.given[key].strip()
        if not self.interactive:
            return default or ""
        answer: str = typer.prompt(question, default=default, show_default=bool(default))
        return answer.strip()

    def secret(self, key: str, question: str) -> str:
        """A secret: from the environment, or typed unseen. `@FILE` is what stands in that file."""
        variable = key.replace(".", "_").replace("-", "_").upper()
        if key in self.given:
            return self.given[key]
        if told := self.environ.get(variable):
            if self.interactive:
                note(f"{key}: taken from ${variable}")
            return told
        if not self.interactive:
            self.missing.append(f"${variable}")
            return ""
        return self._read(typer.prompt(f"{question} (not shown; @FILE reads a file)", hide_input=True).strip())

    def forget(self, keys: Sequence[str]) -> None:
        """Ask for these again, whatever was given."""
        for key in keys:
            self.given.pop(key, None)

    def several(self, key: str, question: str, known: Mapping[str, str], default: Sequence[str]) -> list[str]:
        """Some of these names, in the order that was given; `known` says what each of them is."""
        titles = ", ".join(name if name == title else f"{name} ({title})" for name, title in known.items())
        while True:
            text = self.text(key, f"{question}\n  there is: {titles}\n ", ",".join(default))
            names = list(dict.fromkeys(filter(None, (one.strip() for one in text.split(",")))))
            wrong = next((name for name in names if name not in known), None)
            if names and wrong is None:
                return names
            self._again(key, f"{wrong or 'nothing'!r} can't be chosen; {suggest(wrong or '', known)}")

    def agreed(self, question: str, *, default: bool) -> bool:
        """Yes or no; `default` where nobody can be asked."""
        return typer.confirm(question, default=default) if self.interactive else default

    def raise_if_missing(self) -> None:
        """Without a terminal: say all that has to be given."""
        if self.missing:
            raise ConfigError([f"init needs {one}" for one in self.missing])

    def _again(self, key: str, why: str) -> None:
        if not self.interactive:
            raise ConfigError([f"{key}: {why}"])
        note(why)
        self.forget([key])

    def _read(self, text: str) -> str:
        if not text.startswith("@"):
            return text
        try:
            return Path(text[1:]).expanduser().read_text("utf-8").strip()
        except OSError as error:
            note(f"{text[1:]}: {error.strerror}")
            return ""


def unfit(kind: Any, text: str) -> str:
    """Why a text is none of this kind; "" where it is one."""
    try:
        TypeAdapter(kind).validate_python(text)
    except ValidationError as error:
        return error.errors()[0]["msg"].removeprefix("Value error, ")
    return ""
