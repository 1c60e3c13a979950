"""Do two names agree? Compares what two sources say of one person, and makes a key of a name.

People's names are compared as `people.md` of the design asks: particles, initials, titles and suffixes vouch for
nobody, a word must match a whole word, the order of first name and surname may differ.

Not here: folding (`name_words`), nicknames and spellings (`given_names`), fields of several words (`name_levels`), and
what other evidence (a profile, an employer) makes of a name that agrees in part.
"""

from __future__ import annotations

from collections.abc import Iterator
from enum import StrEnum
from functools import lru_cache

from syncd.frozen import frozen
from syncd.people.given_names import Level, usually_female
from syncd.people.name_levels import first_level, initials_agree, last_level
from syncd.people.name_lists import FIRST_NAMES_TOO, PARTICLES
from syncd.people.name_words import Words, as_one, fold, join, part, words_of

__all__ = ["Agreement", "Name", "NameMatch", "compare", "fold", "key"]

_MOST_WORDS = 8  # a full name is tried as first name and surname at every gap


class Agreement(StrEnum):
    """What two names say of one another."""

    SAME = "same"  # equal after folding, in either order
    VARIANT = "variant"  # a nickname, another spelling or romanisation, one of a double name
    NEAR = "near"  # may be one person: an initial, a typing error, a translated name; a human should look
    SURNAME_CHANGED = "surname_changed"  # the first names agree and the surnames differ
    DIFFERENT = "different"  # two people
    UNKNOWN = "unknown"  # nothing can be compared: no name, or a script whose romanisation is unsure


@frozen()
class NameMatch:
    """`why` is a sentence without the names. `plausible_marriage` is only set where the surname changed.

    A changed surname is a plausible marriage if the first name is usually a woman's, the surnames do not both have a
    particle (van Dijk and van den Berg, da Silva and da Costa: such pairs are namesakes far more often) and none
    begins with an elided one (O'Brien, D'Angelo). It remains a guess, to be looked at by a human.
    """

    agreement: Agreement
    why: str
    plausible_marriage: bool = False


@frozen(kw_only=True)
class Name:
    """A name as a source holds it. `full` is only read where `first` or `last` is missing."""

    first: str | None = None
    last: str | None = None
    full: str | None = None


@frozen()
class _Split:
    first: Words
    last: Words
    texts: tuple[str, ...]  # the words that vouch, sorted


_NONE = Words()
_LOOSE = {
    Level.SAME: Agreement.SAME,
    Level.VARIANT: Agreement.VARIANT,
    Level.NEAR: Agreement.NEAR,
    Level.INITIAL: Agreement.NEAR,
}
_ORDER = tuple(Agreement)  # best first; what says less stands behind


def compare(one: Name, other: Name) -> NameMatch:
    """Compare two names of one person, or of two. The order of the arguments does not matter."""
    if _is_one_word(one.first, other.first) and _is_one_word(one.last, other.last):
        return _EQUAL  # as most answers are
    return _compare_texts(one.first, one.last, one.full, other.first, other.last, other.full)


def _is_one_word(one: str | None, other: str | None) -> bool:
    """Are both the same plain word, whatever the case? Not an initial."""
    if one is None or other is None or len(one) < 2 or not (one.isascii() and one.isalnum()):
        return False
    return one == other or one.lower() == other.lower()


_EQUAL = NameMatch(Agreement.SAME, "the names are equal")


@lru_cache(maxsize=2048)  # an answer is compared when it is read and again when it is written
def _compare_texts(*texts: str | None) -> NameMatch:
    mine, theirs = _splits(*texts[:3]), _splits(*texts[3:])
    if not mine or not theirs:
        return NameMatch(Agreement.UNKNOWN, "one of the names is blank")
    if len(mine) == len(theirs) == 1:
        found = _compare(mine[0], theirs[0])
    else:
        found = min((_compare(a, b) for a in mine for b in theirs), key=_rank)
    if found.agreement in (Agreement.DIFFERENT, Agreement.SURNAME_CHANGED) and _unsure(mine[0]) != _unsure(theirs[0]):
        if len(mine) == len(theirs) == 1 and _surnames_differ(mine[0], theirs[0]):
            return NameMatch(Agreement.DIFFERENT, "the surnames differ, and the first names cannot be compared")
        return NameMatch(Agreement.UNKNOWN, "the names are in scripts that cannot be compared")
    return found


def _rank(match: NameMatch) -> int:
    return _ORDER.index(match.agreement)


@lru_cache(maxsize=4096)
def key(first: str | None, last: str | None) -> str | None:
    """Return the folded first name and surname as a key, or None where one is missing or vouches for nobody.

    Words are joined, so that "Jean-Luc van den Berg" and "Jean Luc Vandenberg" have one key. A generation (Jr, III)
    stays in the key: it tells two people apart. Nicknames are not folded.
    """
    if not first or not last:
        return None
    given, family = words_of(first), words_of(last, surname=True)
    if len(given.words) == len(given.every) == len(family.words) == len(family.every) == 1:  # as most are
        return _key_of_two(given, family)
    if not _vouches(given, FIRST_NAMES_TOO) or not _vouches(family):
        return None
    given, family = _move_particles(given, family)
    start = as_one(word.script or word.text for word in given.every if len(word.text) > 1 or word.script)
    end = as_one(word.script or word.text for word in family.every)
    return " ".join(filter(None, (start, end, family.generation)))


def _key_of_two(given: Words, family: Words) -> str | None:
    """`key`, of a first name and a surname of one word each."""
    first, last = given.words[0], family.words[0]
    if last.text in PARTICLES or (first.text in PARTICLES and first.text not in FIRST_NAMES_TOO):
        return None
    key_ = f"{as_one((first.script,)) or given.whole} {as_one((last.script,)) or family.whole}"
    return f"{key_} {family.generation}" if family.generation else key_


def _vouches(words: Words, names: frozenset[str] = frozenset()) -> bool:
    return any(word.text not in PARTICLES or word.text in names for word in words.words)


def _move_particles(first: Words, last: Words) -> tuple[Words, Words]:
    """Particles at the end of a first name belong to the surname: "Jan van den", "Berg"."""
    end = len(first.every)
    while end > 1 and first.every[end - 1].text in PARTICLES:
        end -= 1
    if end == len(first.every):
        return first, last
    return part(first, 0, end, given=True), join(part(first, end), last)


@lru_cache(maxsize=2048)
def _splits(first: str | None, last: str | None, full: str | None) -> tuple[_Split, ...]:
    """All ways to read a name as first name and surname: one, unless only the full name is known."""
    given, family = words_of(first or ""), words_of(last or "", surname=True)
    if given.every and family.every:
        return (_split(given, family),)
    whole = words_of(full or "", surname=True)
    if whole.every:
        return tuple(_full(whole))
    return (_split(given, family),) if given.every or family.every else ()


def _split(first: Words, last: Words) -> _Split:
    if first.every and last.every:
        first, last = _move_particles(first, last)
    return _Split(first, last, tuple(sorted(word.script or word.text for word in (*first.words, *last.words))))


def _full(words: Words) -> Iterator[_Split]:
    """Take a full name apart: at its comma, else at every gap, the last one first."""
    count = min(len(words.every), _MOST_WORDS)
    if words.comma:
        yield _split(part(words, words.comma, given=True), part(words, 0, words.comma))
    elif count == 1:
        yield _split(_NONE, words)
        yield _split(words, _NONE)
    else:
        yield from (_split(part(words, 0, at, given=True), part(words, at)) for at in range(count - 1, 0, -1))


def _unsure(split: _Split) -> bool:
    return any(word.script for word in (*split.first.every, *split.last.every))


def _surnames_differ(one: _Split, other: _Split) -> bool:
    """Are both surnames in a script that can be compared, and neither of them the other one's name at all? The first
    names may have no word in common: "小龙 Bruce" and "Bruce" may be one."""
    if not (one.last.every and other.last.every) or any(word.script for word in (*one.last.every, *other.last.every)):
        return False
    if {word.text for word in one.first.every} & {word.text for word in other.first.every}:
        return False
    crossed = max(first_level(one.last, other.first), first_level(other.last, one.first))
    return max(last_level(one.last, other.last), crossed) is Level.NO


def _compare(one: _Split, other: _Split) -> NameMatch:
    if not _complete(one) or not _complete(other):
        return _incomplete(one, other)
    first, last = first_level(one.first, other.first), last_level(one.last, other.last)
    straight = _judge(first, last, one, other)
    if straight.agreement is Agreement.SAME or _generations_differ(one, other):
        return straight
    return _reordered(one, other, last) or straight


def _complete(split: _Split) -> bool:
    return bool(split.first.every and split.last.every)


def _incomplete(one: _Split, other: _Split) -> NameMatch:
    levels = []
    if one.first.every and other.first.every:
        levels.append(first_level(one.first, other.first))
    if one.last.every and other.last.every:
        levels.append(last_level(one.last, other.last))
    if not levels:
        return NameMatch(Agreement.UNKNOWN, "the names have no part in common that could be compared")
    if min(levels) is Level.NO:
        return NameMatch(Agreement.DIFFERENT, "the only part that both names have differs")
    return NameMatch(Agreement.NEAR, "only one part of the name can be compared")


def _judge(first: Level, last: Level, one: _Split, other: _Split) -> NameMatch:
    if _generations_differ(one, other):
        return NameMatch(Agreement.DIFFERENT, "the generations (Jr, Sr, III) differ")
    if first is Level.NO:
        return NameMatch(Agreement.DIFFERENT, "the first names differ")
    if last is Level.NO:
        return _other_surname(first, one, other)
    if first is last is Level.NEAR or max(first, last) is Level.INITIAL:
        return NameMatch(Agreement.DIFFERENT, "neither part of the name agrees fully")
    return NameMatch(_LOOSE[min(first, last)], _why(first, last))


def _other_surname(first: Level, one: _Split, other: _Split) -> NameMatch:
    if first < Level.VARIANT:
        return NameMatch(Agreement.DIFFERENT, "the surnames differ and the first names agree only in part")
    return NameMatch(Agreement.SURNAME_CHANGED, "the surnames differ", _plausible_marriage(one, other))


def _plausible_marriage(one: _Split, other: _Split) -> bool:
    if one.last.particles and other.last.particles:
        return False
    if any(word.elided for word in (*one.last.every, *other.last.every)):
        return False
    return all(usually_female(split.first.words[0].text) for split in (one, other) if split.first.words)


def _generations_differ(one: _Split, other: _Split) -> bool:
    mine, theirs = _generation(one), _generation(other)
    return bool(mine and theirs and mine != theirs)


def _generation(split: _Split) -> str:
    return split.last.generation or split.first.generation


def _why(first: Level, last: Level) -> str:
    if first is last is Level.SAME:
        return "the names are equal"
    if first < last:
        return _WEAK_FIRST[first]
    return _WEAK_LAST[last] if last < first else "first name and surname are known variants"


_WEAK_FIRST = {
    Level.VARIANT: "the first name is a known nickname, spelling or part of a double name",
    Level.NEAR: "the first names are close, but no known variant",
    Level.INITIAL: "the first name is only an initial",
}
_WEAK_LAST = {
    Level.VARIANT: "the surname is another spelling or one of a double name",
    Level.NEAR: "the surnames are close, but not equal",
    Level.INITIAL: "the surname is only an initial",
}


def _reordered(one: _Split, other: _Split, straight: Level) -> NameMatch | None:
    """First name and surname exchanged, or the same words divided in another way.

    `straight` is how the surnames agree as they stand; a variant in the other order must be better than that.
    """
    if _regrouped(one, other):
        return NameMatch(Agreement.SAME, "the same words in another order")
    across = first_level(one.first, other.last)
    if across < Level.VARIANT:
        return None
    crossed = min(across, first_level(one.last, other.first))
    if crossed is Level.SAME:
        return NameMatch(Agreement.SAME, "first name and surname are exchanged")
    if crossed is Level.VARIANT and straight < Level.VARIANT:
        return NameMatch(Agreement.VARIANT, "first name and surname are exchanged, one of them is a variant")
    return None


def _regrouped(one: _Split, other: _Split) -> bool:
    if not all((one.first.words, one.last.words, other.first.words, other.last.words)):
        return False  # an initial vouches for nobody
    return one.texts == other.texts and initials_agree(one.first, other.first)
