"""Text as people and programs type it, brought into one form. What a text means is decided elsewhere."""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache

_TYPOS = {0xB4: "'", 0x60: "'", 0xFE0E: None, 0xFE0F: None, 0x20E3: None}  # accents as apostrophes, emoji's tails
_DROPPED = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "So", "Sk"})  # control characters, symbols
_INVISIBLE = frozenset({"Cc", "Cf", "Cs", "Co", "Cn"})
_JOINERS = "\u200c\u200d"  # they belong to words of some scripts and to composed emoji
_SPACES = re.compile(r"\s+")

# Schemes as typed, also twice ("https://https://") and with a slip ("htp://", "https//", "https:/").
_SCHEME = re.compile(r"^(?:h?t{1,2}ps?:/*|https?//|mailto:|//)+", re.IGNORECASE)
_LINKED = re.compile(r"\]\(\s*([^()\s]+)\s*\)?$")  # Markdown: [Jane](https://…)
_BRACKETED = re.compile(r"<\s*([^<>]+?)\s*>")  # Jane Doe <jane@acme.example>
_AROUND = "<>()[]{}\"'`*,;:!.\u00ab\u00bb\u201c\u201d\u2018\u2019"

_MARKS = re.compile("[\u0300-\u036f]")
# Letters that Unicode does not take apart.
_LETTERS = str.maketrans({
    "ø": "o", "æ": "ae", "œ": "oe", "ł": "l", "đ": "d", "ð": "d", "þ": "th", "\u0131": "i",
})  # fmt: skip
_APOSTROPHES = re.compile("['\u2018\u2019\u02bc\u02bb\uff07\u2032]")
_ABBREVIATION = re.compile(r"(?<=\b\w)[./](?=\w\b)")  # the inner points of "s.a." and the slash of "a/s"
_WORD = re.compile(r"[^\W_]+")


def ends(host: str) -> list[str]:
    """`mail.acme.example`, `acme.example`, `example`: a host, and what is left without its first labels."""
    first, *rest = reversed(host.split("."))
    found = [first]
    for label in rest:
        found.append(f"{label}.{found[-1]}")
    found.reverse()
    return found


def listed(block: str) -> frozenset[str]:
    """The words of a list that is written as text, each group under its reason (a line that begins with `#`)."""
    lines = (line for line in block.splitlines() if not line.startswith("#"))
    return frozenset(word for line in lines for word in line.split())


def tidy(raw: str | None) -> str | None:
    """A name as it is stored and told: NFC, single spaces, no control characters, no symbols such as emoji.

    None if nothing is left. Not for addresses and handles, where a symbol is a part of the value: see `visible`.
    """
    if raw is None:
        return None
    if _is_plain(raw):
        return " ".join(raw.split()) or None
    kept = "".join(
        " " if c.isspace() else c
        for c in unicodedata.normalize("NFC", raw.translate(_TYPOS))
        if c.isspace() or unicodedata.category(c) not in _DROPPED
    )
    return _SPACES.sub(" ", kept).strip() or None


def visible(raw: str | None) -> str | None:
    """NFC with single spaces and without invisible characters; symbols stay. None if nothing is left."""
    if raw is None:
        return None
    if _is_plain(raw):
        return " ".join(raw.split()) or None
    kept = "".join(
        " " if c.isspace() else c
        for c in unicodedata.normalize("NFC", raw)
        if c.isspace() or c in _JOINERS or unicodedata.category(c) not in _INVISIBLE
    )
    return _SPACES.sub(" ", kept).strip() or None


def _is_plain(raw: str) -> bool:
    """Most text is: ASCII without control characters and without the two signs that count as symbols."""
    return raw.isascii() and raw.isprintable() and "`" not in raw and "^" not in raw


def address(shown: str) -> str:
    """A web or mail address without what people, documents and mail programs put around it, and without its scheme.

    Expects visible text. Backslashes become slashes, as in browsers.
    """
    linked = (_LINKED.search(shown) or _BRACKETED.search(shown)) if "](" in shown or "<" in shown else None
    bare = (linked[1] if linked else shown).strip(_AROUND + " ")
    return _SCHEME.sub("", bare.replace("\\", "/"))


@lru_cache(maxsize=4096)
def fold(raw: str) -> str:
    """Without case, accents and the ways to write an umlaut: `Müller`, `Mueller` and `Muller` are equal.

    Only for comparing: ae, oe and ue become a, o and u in every word, and aa (for å) becomes a.
    """
    plain = raw.lower() if raw.isascii() else _without_marks(raw)
    return plain.replace("ae", "a").replace("oe", "o").replace("ue", "u").replace("aa", "a")


def _without_marks(raw: str) -> str:
    letters = unicodedata.normalize("NFKD", unicodedata.normalize("NFKC", raw).casefold()).translate(_LETTERS)
    return unicodedata.normalize("NFC", _MARKS.sub("", letters))


@lru_cache(maxsize=4096)
def words(raw: str) -> tuple[str, ...]:
    """The folded words; `S.A.`, `S. A.` and `SA` are one word, and so are `A/S` and `AS`."""
    if raw.isascii() and raw.isalnum():
        return (fold(raw),)
    joined = fold(raw)
    if "'" in joined or not joined.isascii():
        joined = _APOSTROPHES.sub("", joined)
    if "." in joined or "/" in joined:
        joined = _ABBREVIATION.sub("", joined)
    if "&" in joined or "+" in joined:
        joined = joined.replace("&", " and ").replace("+", " and ")
    return _unite_letters(_WORD.findall(joined))


def together(said: tuple[str, ...]) -> str:
    """The words as one, folded as one: "auto-entrepreneur" and "autoentrepreneur" are equal."""
    return fold("".join(said))


def _unite_letters(found: list[str]) -> tuple[str, ...]:
    """Single letters in a row as one word."""
    if len(found) < 2 or min(map(len, found)) > 1:
        return tuple(found)
    united: list[str] = []
    spelled = False
    for word in found:
        letter = len(word) == 1 and word.isalpha()
        if letter and spelled:
            united[-1] += word
        else:
            united.append(word)
        spelled = letter
    return tuple(united)
