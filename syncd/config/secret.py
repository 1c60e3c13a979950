"""Secrets: from the environment, from files, from systemd credentials; never kept in the YAML.

`"${NAME}"` (whole or within a text), `{file: PATH}` and `{credential: NAME}` are replaced by what
they point at. Which keys hold secrets is guessed from their names here, and known from the type
`SecretStr` elsewhere. Nothing here ever puts a value into a message.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from .document import Report, Where

MAX_BYTES = 64 * 1024

_VARIABLE = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)\}")
_WHOLE_VARIABLE = re.compile(r"\$(?:[A-Za-z_][A-Za-z0-9_]*|\(.*\))")  # as a shell would read it
_ANY_VARIABLE = re.compile(r"\$[A-Za-z_({]")
_AS_WE_READ = 'syncd reads "${NAME}" and nothing else: no default, no blanks, no $NAME'
_SECRET_KEY = re.compile(r"(?:^|_)(?:token|secret|secrets|password|passwd|passphrase|key|credential)$")
_CREDENTIALS = "CREDENTIALS_DIRECTORY"
UNSEEN = "a-secret-that-nobody-needs-to-see-here"  # long enough for any rule


class Secrets:
    """Replaces references by values, and knows afterwards which values came from where."""

    def __init__(self, report: Report, environ: Mapping[str, str], folder: Path, *, needed: bool = True) -> None:
        """`needed` is False for what works without any secret: a reference that leads nowhere is no problem then."""
        self._report = report
        self._environ = environ
        self._folder = folder
        self._needed = needed
        self._referred: set[Where] = set()
        self._broken: set[Where] = set()

    def resolve(self, value: Any, where: Where = ()) -> Any:
        """A copy with every reference replaced; what can't be is a problem, and stays broken."""
        if isinstance(value, str):
            return self._text(value, where)
        if isinstance(value, list):
            return [self.resolve(item, (*where, position)) for position, item in enumerate(value)]
        if isinstance(value, dict):
            if len(value) == 1 and (kind := next(iter(value))) in {"file", "credential"}:
                return self._pointed_at(kind, value[kind], where)
            return {key: self.resolve(item, (*where, key)) for key, item in value.items()}
        return value

    def refuse(self, value: Any, where: Where) -> None:
        """Say so where a reference stands in what belongs to the CRM, in which nothing is replaced."""
        if isinstance(value, str) and "${" in value:
            self._fail(where, "holds ${, and nothing is replaced in a match; write the value out")
        for step, item in _items(value):
            self.refuse(item, (*where, step))

    def broken(self, where: Where) -> bool:
        """Is there a problem with this value already, because its reference leads nowhere?"""
        return where in self._broken

    def warn_if_clear(self, where: Where) -> None:
        """Say so when the secret at this place stands in the YAML itself."""
        if where not in self._referred:
            name = "_".join(str(step) for step in where if isinstance(step, str)).upper().replace("-", "_")
            cure = f'write "${{{name}}}" and set it in the environment, or {{ file: PATH }}, or {{ credential: NAME }}'
            self._report.warn(where, f"is a secret in clear text; {cure}")

    def clear_keys(self, values: Mapping[str, Any], also: Iterable[str]) -> list[str]:
        """The keys of a mapping that hold secrets, by their name or because `also` names them."""
        known = set(also)
        return [key for key, value in values.items() if isinstance(value, str) and (key in known or is_secret(key))]

    def refuse_unusable(self, where: Where, value: str, *, blanks: bool = False) -> None:
        """A secret travels in the head of a request: line ends, odd characters, and mostly blanks, are slips of the
        hand. `blanks`: a phrase of several words is as good as any."""
        if self.broken(where):
            return
        self._report.hide(value.strip())
        if any(char < " " or char == "\x7f" for char in value):
            what, cure = "a line end, a tab or a control character", "store it without, for example with printf %s"
        elif value != value.strip() or (" " in value and not blanks):
            what, cure = "a blank", "copy it once more, without blanks and quotes"
        elif not value.isascii() and not blanks:
            what, cure = "a character that no key has", "copy it once more, without typographic quotes"
        else:
            return
        self._broken.add(where)
        self._report.problem(where, f"holds {what}, which would be sent with it; {cure}")

    def _text(self, text: str, where: Where) -> str:
        secret = bool(where) and is_secret(next((s for s in reversed(where) if isinstance(s, str)), ""))
        if secret:
            self._report.hide(text)
        names = _VARIABLE.findall(text)
        found = {name: value for name in names if (value := self._environ.get(name))}
        if _left_over(_VARIABLE.sub("", text), secret=secret):
            return self._fail(where, f"holds a $ that is no reference; {_AS_WE_READ}")
        for name in names:
            if name not in found:
                what = "is empty" if name in self._environ else "is not set"
                unseen = self._unseen(where, f"the environment variable {name} {what}; set it where syncd is started")
                found.setdefault(name, unseen)
        if names:
            self._referred.add(where)
        return _VARIABLE.sub(lambda reference: self._hidden(found[reference[1]]), text)

    def _pointed_at(self, kind: str, name: Any, where: Where) -> str:
        self._referred.add(where)
        if not isinstance(name, str) or not name:
            return self._fail(where, f"{kind} needs a text; write {{ {kind}: NAME }}")
        if kind == "file":
            if name.startswith("~"):
                return self._fail(where, "begins with ~, which only a shell knows; write the path in full")
            return self._file(self._folder / self._text(name, (*where, "file")), where, guarded=True)
        folder = self._environ.get(_CREDENTIALS)
        if not folder:
            what = f"the credential {name} can't be seen from here: systemd shows it to its own service alone"
            return self._unseen(where, what)
        if "/" in name or name.startswith("."):
            return self._fail(where, "the name of a credential has no slash and no leading dot; write its bare name")
        return self._file(Path(folder) / name, where, guarded=False)

    def _file(self, path: Path, where: Where, *, guarded: bool) -> str:
        try:
            if path.stat().st_size > MAX_BYTES:
                return self._fail(where, f"{path} is larger than 64 KiB; name the file that holds the secret alone")
            text = path.read_bytes().decode("utf-8").removesuffix("\n").removesuffix("\r")
        except OSError as error:
            return self._unseen(where, f"{path} can't be read ({error.strerror}); create it, readable for syncd alone")
        except UnicodeDecodeError:
            return self._fail(where, f"{path} is not UTF-8 text; name the file that holds the secret alone")
        if not text:
            return self._fail(where, f"{path} is empty; put the secret into it")
        if guarded and path.stat().st_mode & 0o077:
            self._report.warn(where, f"{path} is open to other users; run: chmod 600 {path}")
        return self._hidden(text)

    def _fail(self, where: Where, what: str) -> str:
        self._broken.add(where)
        self._report.problem(where, what)
        return ""

    def _unseen(self, where: Where, what: str) -> str:
        """A reference that leads nowhere is no problem for what works without the secret."""
        if self._needed or where[0] == "ledger":
            return self._fail(where, what)
        self._broken.add(where)
        return UNSEEN

    def _hidden(self, value: str) -> str:
        self._report.hide(value)
        return value


def is_secret(key: str) -> bool:
    return _SECRET_KEY.search(key.lower()) is not None


def _left_over(text: str, *, secret: bool) -> bool:
    """Is there something that a shell would replace and we don't? A secret may well have a `$` in it."""
    if secret:
        return "${" in text or _WHOLE_VARIABLE.fullmatch(text) is not None
    return _ANY_VARIABLE.search(text) is not None


def _items(value: Any) -> Iterable[tuple[str | int, Any]]:
    if isinstance(value, dict):
        return value.items()
    return enumerate(value) if isinstance(value, list) else ()
