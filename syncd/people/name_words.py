"""The words of a name: folding, and what of a name is particle, title, initial, generation or a word that counts.

Not here: whether two names agree (`names`), which first names belong together (`given_names`).
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from functools import lru_cache

from anyascii import anyascii

from syncd.frozen import frozen
from syncd.people.name_lists import DEGREES_AFTER_COMMA, FIRST_NAMES_TOO, GENERATIONS, PARTICLES, PRONOUNS, TITLES

_APOSTROPHES = dict.fromkeys(
    map(ord, "'\u2018\u2019\u201b\u02bc\u02b9\u02bb\u02bd\u2032`\u00b4\uff07\u055a\ua78c"), "'"
)
# Letters that people without them type as two, or as the bare vowel.
_UMLAUTS = {"ä": "ae", "æ": "ae", "ö": "oe", "ø": "oe", "œ": "oe", "ü": "ue", "å": "aa"}
_BARE = str.maketrans({"ä": "a", "æ": "a", "ö": "o", "ø": "o", "œ": "o", "ü": "u", "å": "a"})
_TYPED = str.maketrans(_UMLAUTS)
# A typed umlaut stands before a consonant; after x and y it is pinyin (Xuefeng), after a vowel or q another sound.
_DIGRAPH = re.compile(r"(?<![aeiouqxy])(?:(a)[ae]|([ou])e)(?=[b-df-hj-np-tv-z])")
_SHORT = 5  # shorter words keep both letters: Baer is not Bar, Noel is not Nol
_ELIDED = re.compile(r"(?:[dlo]|dell|dall|sant)'(?=\w{2})")  # D'Angelo, L'Heureux, O'Brien, Dell'Acqua
_COMMA = re.compile("[,\uff0c\u060c]")
_ASIDE = re.compile(r"[(\[\"“”«„][^)\]\"“”»]*[)\]\"“”»]")
# Scripts whose common romanisation is not found letter by letter: vowels are not written, or a reading is chosen.
_UNSURE = ("CJK", "HIRAGANA", "KATAKANA", "HANGUL", "ARABIC", "HEBREW", "THAI", "LAO", "KHMER", "MYANMAR", "SYRIAC")
_GREEK_OU = re.compile("\u03bf[\u03c5\u03cd]")  # two letters, one vowel
_ASCII_WORD = re.compile(r"[a-z0-9']+")
_SAINT = {"st": "saint", "ste": "sainte"}


@frozen()
class Word:
    """One folded word. `bare` is another reading, of a short word with an umlaut (Åse: aase, ase) or a đ."""

    text: str
    bare: str
    elided: bool = False  # begins with a particle and an apostrophe
    script: str = ""  # the word as written, if its romanisation is unsure

    def same(self, other: Word) -> bool:
        """Two words in one unsure script are compared as written: many characters share a reading."""
        if self.script and other.script:
            return self.script == other.script
        return self.text in (other.text, other.bare) or self.bare in (other.text, other.bare)


@frozen(kw_only=True)
class Words:
    """One field of a name, taken apart. `every` keeps particles and initials, `words` only what vouches."""

    every: tuple[Word, ...] = ()
    words: tuple[Word, ...] = ()
    initials: tuple[str, ...] = ()
    asides: tuple[Word, ...] = ()  # in brackets or quotes: Robert (Bob)
    generation: str = ""
    comma: int = 0  # how many of `every` stand before the first comma; 0 without one
    particles: bool = False
    whole: str = ""  # every word as one, for "van den Berg" and "Vandenberg"
    written: str = ""  # the words that vouch as one, as written, if one of them is in an unsure script
    core: str = ""  # the words that vouch as one, for "Jean-Luc" and "Jean Luc"


@lru_cache(maxsize=4096)
def fold(raw: str) -> str:
    """Return the folded words of a name, joined by one space: case, accents, apostrophes, hyphens and scripts are gone.

    Umlauts and their two-letter spellings become one vowel in words of five letters or more (Müller, Mueller and
    Muller are "muller"). Nothing else is removed. Symbols separate words; digits are kept: a second
    record of a made-up or numbered name is another one.
    """
    return " ".join(word.text for word in _tokens(raw))


@lru_cache(maxsize=4096)
def words_of(raw: str, *, surname: bool = False) -> Words:
    """Take a first name, a surname or a full name apart. In a `surname`, brackets hold a former surname."""
    if raw.isascii() and raw.isalnum():  # most names are one word
        return _of_one(_word(raw.lower()))
    asides = tuple(word for text in _ASIDE.findall(raw) for word in _tokens(text) if word.text not in PRONOUNS)
    before, *after = [_tokens(piece) for piece in _COMMA.split(_ASIDE.sub(" ", raw))]
    extra = [word for piece in after for word in piece if word.text not in DEGREES_AFTER_COMMA]
    kept = [word for word in before + extra if word.text not in TITLES] or [*before, *extra]
    generation, kept = _generation(kept)
    if surname and asides:  # Brown (Jones): a former name counts as one of a double name
        kept, asides = [*kept, *asides], ()
    return _sorted(kept, asides=asides, generation=generation, comma=_before_comma(before, extra), given=not surname)


def join(words: Words, more: Words) -> Words:
    """Return two fields as one, in this order."""
    asides, generation = words.asides + more.asides, more.generation or words.generation
    return _sorted([*words.every, *more.every], asides=asides, generation=generation, comma=0)


def part(words: Words, start: int, end: int | None = None, *, given: bool = False) -> Words:
    """Return some of the words of a field. Brackets stay with its start, a generation with its end."""
    asides, generation = words.asides if start == 0 else (), words.generation if end is None else ""
    return _sorted(list(words.every[start:end]), asides=asides, generation=generation, comma=0, given=given)


def as_one(texts: Iterable[str]) -> str:
    """Join words as if they had been typed as one: "de Boer" like "Deboer"."""
    return _as_vowels("".join(texts))


def _as_vowels(word: str) -> str:
    """Typed umlauts as the bare vowel, in words that are long enough."""
    return _DIGRAPH.sub(_vowel, word) if len(word) >= _SHORT else word


def _vowel(found: re.Match[str]) -> str:
    return found[1] or found[2]


def _of_one(word: Word) -> Words:
    """What `_sorted` makes of a single word: it counts, even as a particle, unless it is an initial."""
    whole = (word,)
    if len(word.text) == 1:
        return Words(every=whole, initials=(word.text,), whole=word.text)
    joined = _as_vowels(word.text)
    return Words(every=whole, words=whole, whole=joined, core=joined)


def _sorted(kept: list[Word], *, asides: tuple[Word, ...], generation: str, comma: int, given: bool = False) -> Words:
    counts = tuple(word for at, word in enumerate(kept) if not _initial(word) and not _particle(word, at, given=given))
    if not counts:  # a name that is nothing but a particle is that person's name all the same: Minh Le
        counts = tuple(word for word in kept if not _initial(word))
    particles = len(counts) > 0 and any(word.text in PARTICLES for word in kept if word not in counts)
    return Words(
        every=tuple(kept),
        words=counts,
        initials=tuple(word.text for word in kept if _initial(word)),
        asides=asides,
        generation=generation,
        comma=comma,
        particles=particles,
        whole=as_one(word.text for word in kept),
        core=as_one(word.text for word in counts),
        written="".join(word.script or word.text for word in counts) if any(word.script for word in counts) else "",
    )


def _particle(word: Word, at: int, *, given: bool) -> bool:
    return word.text in PARTICLES and not (given and at == 0 and word.text in FIRST_NAMES_TOO)


def _initial(word: Word) -> bool:
    return len(word.text) == 1 and not word.script


def _generation(kept: list[Word]) -> tuple[str, list[Word]]:
    if len(kept) > 1 and kept[-1].text in GENERATIONS:
        return GENERATIONS[kept[-1].text], kept[:-1]
    return "", kept


def _before_comma(before: list[Word], extra: list[Word]) -> int:
    """Count the words before a comma that separates surname and first name ("Smith, John"), not a degree."""
    if not any(word.text not in TITLES and word.text not in GENERATIONS for word in extra):
        return 0
    return sum(word.text not in TITLES for word in before)


def _tokens(raw: str) -> list[Word]:
    text = raw.lower() if raw.isascii() else _plain(raw)
    return [word for piece in _pieces(text) if (word := _word(piece)).text]


def _plain(raw: str) -> str:
    return unicodedata.normalize("NFC", unicodedata.normalize("NFKC", raw).casefold()).translate(_APOSTROPHES)


def _pieces(text: str) -> list[str]:
    if text.isascii():
        return _ASCII_WORD.findall(text.replace("`", "'"))
    kept = "".join(char if char == "'" or unicodedata.category(char)[0] in "LMN" else _gap(char) for char in text)
    return kept.split()


def _gap(char: str) -> str:
    return "" if unicodedata.category(char) == "Cf" else " "  # joiners and soft hyphens separate nothing


@lru_cache(maxsize=4096)
def _word(piece: str) -> Word:
    if piece.isascii() and piece.isalnum():  # nothing to fold but umlauts that are typed as two letters
        plain = _as_vowels(piece)
        plain = _SAINT.get(plain, plain)
        return Word(plain, plain)
    elided = _ELIDED.match(piece) is not None
    letters = piece.replace("'", "")
    script = letters if any(unicodedata.name(char, "").startswith(_UNSURE) for char in letters) else ""
    letters = _GREEK_OU.sub("ou", letters)
    typed, bare = _ascii(letters.translate(_TYPED)), _ascii(letters.translate(_BARE))
    if len(typed) >= _SHORT:
        typed = bare = _DIGRAPH.sub(_vowel, bare)
    if "đ" in letters:  # Vietnamese types d, Serbian dj
        bare = _ascii(letters.replace("đ", "dj").translate(_BARE))
    return Word(_SAINT.get(typed, typed), _SAINT.get(bare, bare), elided, script)


def _ascii(letters: str) -> str:
    if letters.isascii():
        return letters
    return re.sub("[^a-z]", "", anyascii(letters).lower())
