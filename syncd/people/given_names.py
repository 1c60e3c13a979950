"""Which words of two names belong together: spellings, nicknames, typing errors. And which names are women's.

Every function takes folded words (`name_words.fold`). Not here: whole names (`names`).

The English nicknames are those of the package `nicknames` (https://github.com/carltonnorthern/nicknames, Apache-2.0).
"""

from __future__ import annotations

import csv
import re
from collections import defaultdict
from collections.abc import Iterator
from enum import IntEnum
from functools import cache, lru_cache

from nicknames import with_names_csv_path

from syncd.people.name_lists import FEMALE, MALE, NOT_NICKNAMES, RELATED, SHORT_FORMS, SPELLINGS, TRANSLATIONS
from syncd.people.name_words import fold


class Level(IntEnum):
    """How well two words agree. The order counts: the weakest part decides about a name."""

    NO = 0
    INITIAL = 1  # one is the other's first letter
    NEAR = 2  # may be one name: a translation, a typing error
    VARIANT = 3  # known to be one name
    SAME = 4


_RULES = tuple(
    (re.compile(pattern), text)
    for pattern, text in (
        (r"ph", "f"),
        (r"^ch(?=[rl])|(?<=[aeiou])ch(?=[aeiou])|ck|kh|(?<=[aeiou])q$|c(?=[aourlt]|$)", "k"),  # Chen is not Ken
        (r"(?<!^)x", "ks"),
        (r"w", "v"),
        (r"sz|(?<=[aeiouns])z(?!h)(?=[aeiou])|z$", "s"),
        (r"dt?h?$|th?", lambda found: "d" if found[0] == "d" else "t"),
        (r"(?<=[aeiou])h(?=[b-df-hj-np-tv-xz]|$)|(?<=[rgn])h", ""),  # Sarah, John; not Johan: Joan is another name
        (r"ee", "i"),
        (r"oo|ou(?=[b-df-hj-np-tv-xz])", "u"),
        (r"(?<!^)j(?=a|$)|(?<!^)y|ij(?=k|s|n)", "i"),  # Tatjana; not Xiaojun: Xiaoyun is another name
        (r"i{2,}", "i"),
        (r"(?<![jxq])(?:ie|ei?i)$", "i"),  # Jamie; not Junjie: Junji is another name
        (r"dr$", "der"),
    )
)
_FEMALE_END = re.compile(r"[^aeiou]a$|ia$|ette$|elle$")
_DOUBLED = re.compile(r"([b-df-hj-np-tv-z])\1")
_SLAVIC = tuple(
    (re.compile(pattern), text)
    for pattern, text in (
        (r"(?<=..[oe])(?:ff?|w|va|wa)$", "v"),  # Petroff, Petrow, Petrova
        (r"(?<=..)(?:[sc]k[aiy]{0,2}[aiyj]|zk[aiy])$", "ski"),  # Kowalska, Dostoyevskiy
        (r"(?<=..)n[ya]$", "ny"),  # Novotna
        (r"(?<=..)tsch|tch", "ch"),
        (r"kh", "h"),
        (r"(?<=[a-z])[yj]", "i"),
        (r"i+", "i"),
    )
)
_SLAVIC_END = re.compile(r"..(?:[oe](?:v|ff?|w|va|wa)|[sc]k[aiy]{0,2}[aiyj]|zk[aiy]|n[ya])$")
_GREEK_END = re.compile(r"(?<=poul)(?:os|ou)$|(?<=(?:ak|id|ad|in))(?:is|ou|i)$")


@lru_cache(maxsize=8192)
def first_name_level(one: str, other: str) -> Level:
    """Compare two words of first names."""
    if one == other:
        return Level.SAME
    if len(one) == 1 or len(other) == 1:
        return Level.INITIAL if one[:1] == other[:1] else Level.NO
    if _one_name(one, other) or _nickname(one, other):
        return Level.VARIANT
    related = _shared(_related(), one, other) or _siblings(one, other) or _related_spellings(one, other)
    return Level.NEAR if related or _close(one, other) else Level.NO


@lru_cache(maxsize=8192)
def surname_level(one: str, other: str) -> Level:
    """Compare two words of surnames. Spellings that are families of their own (Meyer, Meier) are only near."""
    if one == other:
        return Level.SAME
    if len(one) == 1 or len(other) == 1:
        return Level.INITIAL if one[:1] == other[:1] else Level.NO
    if _shared(_spellings(), one, other) or _inflected(one, other):
        return Level.VARIANT
    alike = _spelled_alike(one, other) or _mistyped(one, other)
    return Level.NEAR if alike or _one_in_other(one, other) else Level.NO


@lru_cache(maxsize=1024)
def usually_female(name: str) -> bool:
    """Say whether a first name is usually a woman's: by list, by its full form, else by its ending."""
    forms = {name, *_canonicals().get(name, ())}
    if not forms.isdisjoint(_folded(MALE)):
        return False
    return not forms.isdisjoint(_folded(FEMALE)) or _FEMALE_END.search(name) is not None


def _one_name(one: str, other: str) -> bool:
    return _shared(_spellings(), one, other) or _spelled_alike(one, other) or _without_start(one, other)


def _shared(groups: dict[str, tuple[int, ...]], one: str, other: str) -> bool:
    mine = groups.get(one)
    return mine is not None and not set(mine).isdisjoint(groups.get(other, ()))


def _related_spellings(one: str, other: str) -> bool:
    """Eugene and Yevgeny: a translation of one of its spellings."""
    groups = _related()
    mine, theirs = ({n for spelling in _all_spellings(name) for n in groups.get(spelling, ())} for name in (one, other))
    return not mine.isdisjoint(theirs)


def _spelled_alike(one: str, other: str) -> bool:
    if min(len(one), len(other)) < 4 or one.endswith("ng") or other.endswith("ng"):  # Cong is not Kong
        return False
    mine, theirs = _spelling(one), _spelling(other)
    if min(len(mine), len(theirs)) < 4 and min(len(one), len(other)) < 5:
        return mine == theirs
    return mine == theirs or (min(len(one), len(other)) > 4 and _single(mine) == _single(theirs))


@lru_cache(maxsize=4096)
def _spelling(word: str) -> str:
    for pattern, text in _RULES:
        word = pattern.sub(text, word)
    return word


def _single(word: str) -> str:
    return _DOUBLED.sub(r"\1", word)


def _without_start(one: str, other: str) -> bool:
    """Emmanuel and Manuel, Eleonora and Leonora: a first e or em may be missing in a long name."""
    short, long = sorted((_single(one), _single(other)), key=len)
    return len(short) >= 5 and long in ("e" + short, "em" + short)


def _inflected(one: str, other: str) -> bool:
    """Slavic and Greek surnames have a form for women and several romanisations."""
    short, long = sorted((one, other), key=len)
    if len(short) > 3 and long in (short + "ova", short.rstrip("aeoy") + "ova"):  # Novakova, Svobodova
        return True
    if _SLAVIC_END.search(one) and _SLAVIC_END.search(other):
        return _slavic(one) == _slavic(other)
    return min(len(one), len(other)) > 6 and _GREEK_END.sub("", one) == _GREEK_END.sub("", other)


def _slavic(word: str) -> str:
    for pattern, text in _SLAVIC:
        word = pattern.sub(text, word)
    return _single(word)


def _close(one: str, other: str) -> bool:
    """Paul and Paula, Dan and Danijel, a typing error: one name is the other's start, or differs by one letter."""
    short, long = sorted((one, other), key=len)
    return (len(short) > 2 and long.startswith(short)) or _mistyped(one, other) or "h" + short == long


def _mistyped(one: str, other: str) -> bool:
    """One letter added, left out, exchanged, or two swapped, behind the same first letter and in a word of five."""
    if min(len(one), len(other)) < 4 or max(len(one), len(other)) < 5 or one[0] != other[0]:
        return False
    start = _equal_start(one, other)
    left, right = one[start:], other[start:]
    if len(left) == len(right):
        return left[1:] == right[1:] or (left[:2] == right[1::-1] and left[2:] == right[2:])
    return left[1:] == right or left == right[1:]


def _equal_start(one: str, other: str) -> int:
    pairs = zip(one, other, strict=False)
    return next((at for at, (mine, theirs) in enumerate(pairs) if mine != theirs), min(len(one), len(other)))


def _one_in_other(one: str, other: str) -> bool:
    """A joined particle, perhaps (Alsayed and Sayed), or a last e (Clark and Clarke)."""
    short, long = sorted((one, other), key=len)
    return (len(short) > 3 and long.endswith(short)) or (len(short) > 2 and long == short + "e")


def _nickname(one: str, other: str) -> bool:
    """One is the other's nickname, or both shorten one name and begin alike (Kate and Kathy, not Liz and Betty)."""
    canonicals = _canonicals()
    mine, theirs = canonicals.get(one, ()), canonicals.get(other, ())
    if other in mine or one in theirs:
        return True
    if any(_one_name(full, other) for full in mine) or any(_one_name(full, one) for full in theirs):
        return True  # Kate, of Katherine, and Catherine
    return one[:3] == other[:3] and not set(mine).isdisjoint(theirs) and not {one, other} <= _full_forms()


def _siblings(one: str, other: str) -> bool:
    canonicals = _canonicals()
    return not set(canonicals.get(one, ())).isdisjoint(canonicals.get(other, ()))


@cache
def _canonicals() -> dict[str, tuple[str, ...]]:
    """Every nickname with the names that it stands for."""
    found: dict[str, set[str]] = defaultdict(set)
    refused = {frozenset(fold(pair.replace("/", " ")).split()) for pair in _words(NOT_NICKNAMES + RELATED)}
    for name, short in (*_package(), *_short_forms()):
        if name != short and frozenset((name, short)) not in refused:
            found[short].add(name)
    return {short: tuple(names) for short, names in found.items()}


@cache
def _full_forms() -> frozenset[str]:
    return frozenset(name for names in _canonicals().values() for name in names)


def _package() -> Iterator[tuple[str, str]]:
    with with_names_csv_path() as path, path.open(encoding="utf-8", newline="") as file:
        for name, relation, short in csv.reader(file):
            if relation == "has_nickname":
                yield fold(name), fold(short)


def _short_forms() -> Iterator[tuple[str, str]]:
    for line in _lines(SHORT_FORMS):
        name, shorts = line.split(":")
        for short in shorts.split():
            yield from ((spelling, fold(short)) for spelling in _all_spellings(fold(name)))


def _all_spellings(name: str) -> set[str]:
    return {name, *(other for number in _spellings().get(name, ()) for other in _names_of_lines()[number])}


@cache
def _names_of_lines() -> dict[int, list[str]]:
    found: dict[int, list[str]] = defaultdict(list)
    for name, numbers in _spellings().items():
        for number in numbers:
            found[number].append(name)
    return found


@cache
def _spellings() -> dict[str, tuple[int, ...]]:
    return _groups(SPELLINGS)


@cache
def _related() -> dict[str, tuple[int, ...]]:
    pairs = (pair.replace("/", " ") for pair in _words(RELATED))
    return _groups("\n".join((TRANSLATIONS, *pairs)))


def _groups(text: str) -> dict[str, tuple[int, ...]]:
    found: dict[str, tuple[int, ...]] = {}
    for number, line in enumerate(_lines(text)):
        for name in {fold(word) for word in line.split()}:
            found[name] = (*found.get(name, ()), number)
    return found


def _lines(text: str) -> list[str]:
    return [line for line in text.splitlines() if line and not line.startswith("#")]


def _words(text: str) -> list[str]:
    return [word for line in _lines(text) for word in line.split()]


@cache
def _folded(names: frozenset[str]) -> frozenset[str]:
    return frozenset(map(fold, names))
