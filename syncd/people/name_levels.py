"""How well two first names, or two surnames, of several words agree.

Not here: single words (`given_names`), and what first name and surname together say (`names`).
"""

from __future__ import annotations

import re

from syncd.people.given_names import Level, first_name_level, surname_level
from syncd.people.name_words import Word, Words

_CONSONANTS = re.compile(r"[b-df-hj-np-tv-xz]{2,3}")


def first_level(one: Words, other: Words) -> Level:
    if not one.words or not other.words:
        return _initials_level(one, other)
    if _joined(one, other):
        return _romanised(one, other) if initials_agree(one, other) else Level.NEAR
    level = max(_word_level(one.words[0], other.words[0]), _typed_level(one, other), _typed_level(other, one))
    if level >= Level.VARIANT:
        return min(level, _rest_level(one, other))
    if len(one.every) == len(other.every) == 1 and not one.asides and not other.asides:
        return level
    if _aside(one, other) or _aside(other, one):
        return Level.VARIANT
    whole = Level.NO if one.written and other.written else first_name_level(one.core, other.core)
    second = Level.NEAR if _second_name(one, other) or _second_name(other, one) else Level.NO
    return max(level, whole, second)


def _joined(one: Words, other: Words) -> bool:
    if len(one.words) == len(other.words) == 1:
        return one.words[0].same(other.words[0])
    if len(one.words) == len(other.words):
        return all(mine.same(theirs) for mine, theirs in zip(one.words, other.words, strict=True))
    return _whole(one, other, one.core, other.core)


def _whole(one: Words, other: Words, mine: str, theirs: str) -> bool:
    """Compare joined words, as written if both are in an unsure script."""
    return one.written == other.written if one.written and other.written else mine == theirs


def _romanised(one: Words, other: Words) -> Level:
    """A word in an unsure script that reads like the other is a romanisation of it, not the same text."""
    same = all(bool(mine.script) == bool(theirs.script) for mine, theirs in zip(one.words, other.words, strict=False))
    return Level.SAME if same else Level.VARIANT


def _word_level(one: Word, other: Word) -> Level:
    if one.same(other):
        return Level.SAME
    if one.script and other.script:
        return Level.NEAR if one.text == other.text else Level.NO
    return max(first_name_level(one.text, other.text), first_name_level(one.bare, other.bare))


def _initials_level(one: Words, other: Words) -> Level:
    """At least one side is nothing but initials (or blank)."""
    mine, theirs = _letters(one), _letters(other)
    agree = all(a == b for a, b in zip(mine, theirs, strict=False))
    return Level.INITIAL if agree else Level.NO


def _typed_level(one: Words, other: Words) -> Level:
    """JP: initials that are typed as a word."""
    if len(one.every) != 1 or not _CONSONANTS.fullmatch(one.core):
        return Level.NO
    return Level.INITIAL if all(map(str.__eq__, one.core, _letters(other))) else Level.NO


def _letters(words: Words) -> list[str]:
    return [word.text[:1] for word in words.every]


def initials_agree(one: Words, other: Words) -> bool:
    return all(a == b for a, b in zip(one.initials, other.initials, strict=False))


def _rest_level(one: Words, other: Words) -> Level:
    """The first words agree: what do second names and initials say?"""
    mine, theirs = one.words[1:], other.words[1:]
    if mine and theirs:
        return min(max(_word_level(a, b), Level.NO) for a, b in zip(mine, theirs, strict=False))
    if not mine and not theirs:
        return Level.SAME if initials_agree(one, other) else Level.NEAR
    initials, rest = (one.initials, theirs) if theirs else (other.initials, mine)
    return Level.VARIANT if all(a == b.text[:1] for a, b in zip(initials, rest, strict=False)) else Level.NEAR


def _aside(one: Words, other: Words) -> bool:
    return any(_word_level(aside, other.words[0]) >= Level.VARIANT for aside in one.asides)


def _second_name(one: Words, other: Words) -> bool:
    """One is called by a second name (Marie-Claire, J. Robert), or a double name was cut at its start."""
    if len(one.every[0].text) == 1 and one.every[0].text == other.words[0].text[:1]:
        return True
    return any(word.same(other.words[0]) for word in one.words[1:])


def last_level(one: Words, other: Words) -> Level:
    if not one.words or not other.words:
        return _initials_level(one, other)
    if _joined(one, other) or _joined_with_particles(one, other):
        return _romanised(one, other)
    if len(one.words) == len(other.words) == 1:
        return max(_surname_word(one.words[0], other.words[0]), _near_whole(one, other))
    return _several(one, other)


def _joined_with_particles(one: Words, other: Words) -> bool:
    if one.written and other.written:
        return False
    return one.whole in (other.whole, other.core) or one.core == other.whole


def _several(one: Words, other: Words) -> Level:
    """One has a double name: all words of the shorter in the longer are a variant, some are near."""
    few, many = sorted((one.words, other.words), key=len)
    found = [max(_surname_word(word, each) for each in many) for word in few]
    if min(found) >= Level.VARIANT:
        return Level.VARIANT
    return Level.NEAR if max(found) >= Level.VARIANT else _near_whole(one, other)


def _near_whole(one: Words, other: Words) -> Level:
    """A typing error in a name that is written as one word here and with its particles there."""
    if (one.written and other.written) or one.whole == one.core == other.whole:
        return Level.NO
    joined = one.whole if len(other.every) == 1 else one.core, other.whole if len(one.every) == 1 else other.core
    return min(Level.NEAR, surname_level(*joined))


def _surname_word(one: Word, other: Word) -> Level:
    if one.same(other):
        return Level.SAME
    if one.script and other.script:
        return Level.NEAR if one.text == other.text else Level.NO
    return max(surname_level(one.text, other.text), surname_level(one.bare, other.bare))
