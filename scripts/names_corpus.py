"""Write tests/unit/names_corpus.tsv: pairs of names with the verdict of rigour, the name matcher of OpenSanctions.

Run it with a Python that has rigour 2.6 (`pip install rigour`): python scripts/names_corpus.py
rigour is no dependency of ours: its first use of symbols takes seconds and 430 MB.

The names are made up: common first names and surnames of many languages, combined at random with a fixed seed.
"""

from __future__ import annotations

import random
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

try:
    from rigour.names import NamePartTag, NameTypeTag, analyze_names, compare_parts, pair_symbols
except ImportError:
    sys.exit("rigour is missing: install it beside this script, it is used to write the corpus only")


def _list(text: str) -> list[str]:
    return text.split()


Pair = tuple[str, str, str, str, str]
TARGET = Path(__file__).parents[1] / "tests/unit/names_corpus.tsv"
CLOSE = 0.7  # rigour's similarity from which two words are taken for one with a typing error
EXACT = 0.95  # it charges a little for words that are joined

FIRST = _list("""
James Mary Robert Patricia Michael Linda William Susan David Karen Thomas Sarah Daniel Nancy Matthew Emma Hans
Ursula Jürgen Sabine Wolfgang Heike Jörg Birgit Pierre Nathalie François Hélène Benoît Chloé Antoine Aurélie
José María Francisco Carmen Joaquín Lucía Andrés Inés Giuseppe Chiara Matteo Giulia Luca Francesca João Beatriz
Willem Anneke Pieter Marieke Bjørn Ingrid Søren Astrid Åse Mikael Piotr Agnieszka Tomáš Zdeňka László Ágnes
Dmitri Irina Sergei Olga Mohammed Fatima Ahmed Leila Hassan Noor Ravi Priya Arjun Ananya Kenji Yuki Minh Wei
""")
LAST = _list("""
Smith Brown Taylor Wilson Walker Wright Baker Carter Turner Parker Müller Schröder Weiß Krüger Köhler Schäfer
Lefèvre Girard Moreau Fournier Lambert Rousseau García Rodríguez Martínez Hernández Núñez Ibáñez Rossi Esposito
Colombo Ricci Ferreira Gonçalves Araújo Bakker Visser Mulder Nygård Ødegård Sørensen Lindström Kowalski
Wiśniewski Dvořák Němec Horváth Szabó Ivanov Petrov Volkov Khalil Haddad Mansour Sharma Patel Gupta Tanaka
Watanabe Nguyen Zhang Kim Okafor Mensah Papadopoulos Yılmaz
""")  # noqa: RUF001  # the Turkish letter
NICKNAMES = _list("""
Robert/Bob Robert/Rob William/Bill William/Will Elizabeth/Liz Elizabeth/Beth Elizabeth/Betty Richard/Dick
Richard/Rick James/Jim Thomas/Tom Michael/Mike David/Dave Daniel/Dan Matthew/Matt Margaret/Peggy Margaret/Maggie
Katherine/Kate Katherine/Kathy Anthony/Tony Christopher/Chris Joseph/Joe Edward/Ted Edward/Ed Andrew/Andy
Steven/Steve Patricia/Pat Susan/Sue Barbara/Barb Deborah/Debbie Jennifer/Jen Samuel/Sam Benjamin/Ben
Nicholas/Nick Charles/Chuck Alexander/Alex Alexandra/Alex Victoria/Vicky Rebecca/Becky Timothy/Tim Gregory/Greg
Lawrence/Larry Ronald/Ron Francisco/Paco José/Pepe Ignacio/Nacho Johannes/Hans Aleksandr/Sasha Dmitri/Dima
Ekaterina/Katya Maria/Masha Giuseppe/Beppe Luigi/Gigi Katarzyna/Kasia Friedrich/Fritz Hendrik/Henk Willem/Wim
Frédéric/Fred
""")
SPELLINGS = _list("""
Mohammed/Muhammad Mohamed/Mohammad Ahmed/Ahmad Hussein/Husain Yusuf/Youssef Omar/Umar Aleksandr/Alexander
Sergei/Sergey Dmitri/Dmitry Yulia/Julia Natalia/Natalya Tatiana/Tatyana Evgeny/Yevgeny Elena/Yelena Yuri/Juri
Catherine/Katherine Sara/Sarah Stephen/Steven Philip/Phillip Erik/Eric Marc/Mark Geoffrey/Jeffrey Sophia/Sofia
Manuel/Emmanuel Lucas/Lukas Nicolas/Nikolas Christina/Kristina Elisabeth/Elizabeth Theresa/Teresa Jon/John
Ann/Anne Sean/Shaun Alan/Allan Neil/Neal Mathew/Matthew Isabel/Isabelle Hannah/Hanna Leila/Layla Khaled/Khalid
Tariq/Tarek
""")
TRANSLATED = _list("""
John/Juan John/Jean Joseph/José Peter/Pierre Paul/Pablo Michael/Miguel George/Jorge William/Guillermo
Charles/Carlos Henry/Heinrich Francis/Francesco Mary/Maria Andrew/Andreas Stephen/Esteban Matthew/Mateo
""")
STRANGERS = _list("""
Martin/Marvin Daniel/David Maria/Marta Jan/Jon Jing/Ying Xiaojun/Xiaoyun Anna/Emma John/James Paul/Peter
Karl/Kurt Eva/Ida Omar/Amir Laura/Lena Sean/Dean Brian/Bruno Erik/Emil Ali/Amal Tim/Tom Lisa/Lina Mark/Mary
""")
PARTICLES = [
    *(
        "van den Berg",
        "van Dijk",
        "van der Meer",
        "van de Velde",
        "de Vries",
        "de Boer",
        "de Wit",
        "Le Goff",
        "Le Roux",
    ),
    *("Le Gall", "Al-Sayed", "Al-Harbi", "El Khoury", "El Amrani", "da Silva", "da Costa", "dos Santos", "de Souza"),
    *("von Stein", "von Hagen", "von Bülow", "di Stefano", "di Pietro", "della Valle", "de la Cruz", "de la Fuente"),
    *("del Río", "Ben Salem", "Bin Rashid", "zu Solms", "af Klint", "ten Brink", "ter Horst"),
]
ELIDED = ["O'Brien", "O'Neill", "O'Connor", "D'Angelo", "D'Amico", "D'Souza", "L'Heureux", "Dell'Acqua"]
CYRILLIC = {"Дмитрий": "Dmitri", "Ирина": "Irina", "Сергей": "Sergei", "Ольга": "Olga", "Иван": "Ivan"}
CYRILLIC_LAST = {"Иванов": "Ivanov", "Петров": "Petrov", "Волков": "Volkov", "Смирнов": "Smirnov"}
UMLAUTS = str.maketrans(
    {"ä": "ae", "ö": "oe", "ü": "ue", "ß": "ss", "ø": "oe", "å": "aa", "Å": "Aa", "Ø": "Oe", "Ä": "Ae", "Ö": "Oe"}
)
BARE = str.maketrans("äöüåøÅØÖáàâéèêëíîïóôúûñçžšřčńśńąęłőűıãõěň", "aouaoAOOaaaeeeeiiioouunczsrcnsnaelouiaoen")


def main() -> None:
    chance = random.Random(20)  # noqa: S311  # the corpus is the same at every run
    rows = sorted(set(pairs(chance)))
    lines = ["first1\tlast1\tfirst2\tlast2\tkind\trigour_verdict"]
    lines += ["\t".join((*pair, verdict(pair))) for pair in rows]
    TARGET.write_text("\n".join(lines) + "\n", encoding="utf-8")


def pairs(chance: random.Random) -> Iterator[Pair]:
    for _ in range(130):
        first, last = chance.choice(FIRST), chance.choice(LAST)
        second, family = chance.choice(FIRST), chance.choice(LAST)
        yield first, last, first.upper(), last.lower(), "case"
        yield last, first, first, last, "order"
        yield first, last, first[0] + ".", last, "initial"
        yield first, last, first, last[0] + ".", "surname initial"
        yield f"{first} {second}", last, first, last, "second name left out"
        yield first, f"{last} {family}", first, last, "one of two surnames"
        yield first, f"{last}-{family}", first, f"{last} {family}", "hyphen"
        yield first, last, first, mistyped(last, chance), "typing error"
        if family != last:
            yield first, last, first, family, "other surname"
        if second != first:
            yield first, last, second, last, "other first name"
            yield first, last, second, family, "other person"
    yield from accents(chance)
    yield from listed(chance)
    yield from particles(chance)


def accents(chance: random.Random) -> Iterator[Pair]:
    for name in FIRST + LAST:
        first, last = (name, chance.choice(LAST)) if name in FIRST else (chance.choice(FIRST), name)
        for table, kind in ((UMLAUTS, "umlauts typed"), (BARE, "accents left out")):
            plain = first.translate(table), last.translate(table)
            if plain != (first, last):
                yield first, last, *plain, kind
    for first, latin in CYRILLIC.items():
        yield from ((first, last, latin, family, "romanised") for last, family in CYRILLIC_LAST.items())


def listed(chance: random.Random) -> Iterator[Pair]:
    groups = (
        (NICKNAMES, "nickname"),
        (SPELLINGS, "spelling"),
        (TRANSLATED, "translation"),
        (STRANGERS, "other first name"),
    )
    for names, kind in groups:
        for one, other in (name.split("/") for name in names):
            for last in chance.sample(LAST, 3):
                yield one, last, other, last, kind


def particles(chance: random.Random) -> Iterator[Pair]:
    for last in PARTICLES:
        joined, core = last.replace(" ", "").replace("-", "").capitalize(), last.replace("-", " ").split()[-1]
        for first in chance.sample(FIRST, 2):
            yield first, last, first, joined, "particle joined"
            yield first, last, first, core, "particle left out"
        same = [other for other in PARTICLES if other.split()[0] == last.split()[0] and other != last]
        for other, given in zip(same, chance.choices(FIRST, k=len(same)), strict=True):
            yield given, last, given, other, "other surname, same particle"
    for last in ELIDED:
        for plain, kind in ((last.replace("'", ""), "apostrophe"), (last.replace("'", "\u2019"), "apostrophe")):
            yield first, last, first, plain, kind
        yield first, last, first, chance.choice([name for name in LAST if name[0] == last[0]] or LAST), "other surname"


def mistyped(word: str, chance: random.Random) -> str:
    at = chance.randrange(1, max(2, len(word) - 1))
    changed = [
        word[:at] + word[at + 1 :],
        word[:at] + word[at] + word[at:],
        word[:at] + word[at : at + 2][::-1] + word[at + 2 :],
    ]
    return chance.choice(changed)


def verdict(pair: Pair) -> str:
    """Agree, partly or contradict: the better of what rigour says with and without first name and surname marked."""
    return min((_verdict(pair, marked) for marked in (True, False)), key=["agree", "partly", "contradict"].index)


def _verdict(pair: Pair, marked: bool) -> str:
    one, other = _name(pair[0], pair[1], marked), _name(pair[2], pair[3], marked)
    found = (_rest(one.parts, other.parts, alignments) for alignments in [*pair_symbols(one, other), ()])
    return min(found, key=["agree", "partly", "contradict"].index)


def _name(first: str, last: str, marked: bool):
    tags = {NamePartTag.GIVEN: [first], NamePartTag.FAMILY: [last]} if marked else None
    (name,) = analyze_names(NameTypeTag.PER, [f"{first} {last}"], tags)
    return name


def _rest(mine, theirs, alignments: Iterable) -> str:
    """Judge what is left when rigour's symbols explained the rest."""
    known = [each for each in alignments if each.symbol.category.value in ("NAME", "NICK", "SYMBOL", "INITIAL")]
    initial = any(each.symbol.category.value == "INITIAL" for each in known)
    left = [part for part in mine if not any(part in each.qps for each in known)]
    right = [part for part in theirs if not any(part in each.rps for each in known)]
    found = compare_parts(left, right) if left and right else []
    close = [each for each in found if each.qps and each.rps and each.score >= CLOSE]
    left = [part for part in left if not any(part in each.qps for each in close)]
    right = [part for part in right if not any(part in each.rps for each in close)]
    if left and right:
        return "contradict"
    exact = all(each.score >= EXACT for each in close)
    return "agree" if exact and not left and not right and not initial else "partly"


if __name__ == "__main__":
    main()
