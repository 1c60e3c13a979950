"""Names of two people: what is one name, what is another, and what a human should look at."""

# ruff: noqa: RUF001  # the look-alikes are what is tested

from __future__ import annotations

import timeit
import unicodedata

import pytest

from syncd.people.given_names import usually_female
from syncd.people.names import Agreement, Name, NameMatch, compare, fold, key

SAME, VARIANT, NEAR = Agreement.SAME, Agreement.VARIANT, Agreement.NEAR
CHANGED, DIFFERENT, UNKNOWN = Agreement.SURNAME_CHANGED, Agreement.DIFFERENT, Agreement.UNKNOWN


def name(text: str) -> Name:
    """`first|last`, or a full name."""
    if "|" not in text:
        return Name(full=text or None)
    first, last = text.split("|")
    return Name(first=first or None, last=last or None)


def match(one: str, other: str) -> NameMatch:
    found = compare(name(one), name(other))
    assert compare(name(other), name(one)) == found, "the order of the two people must not matter"
    return found


def pairs(text: str) -> list[tuple[str, str]]:
    return [(one.strip(), other.strip()) for one, other in (line.split("=") for line in text.strip().splitlines())]


# --- A1: another person altogether --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("one", "other"),
    pairs("""
    Paul|Durand = Maria|Garcia
    John|Doe = Jane|Doe
    Omar|Haddad = Amir|Haddad
    Jing|Li = Ying|Li
    Xue|Li = Xu|Li
    Muhammad|Khan = Mahmoud|Khan
    Jean-Luc|Moreau = Jean-Pierre|Moreau
    Christopher|Stone = Christine|Stone
    Alexander|Ivanov = Alexandra|Ivanova
    Samantha|Stone = Samuel|Stone
    K.|Stone = John|Stone
    J.P.|Stone = John Robert|Stone
    Bill|Stone = Robert|Stone
    Martin|Hale = Martina|Brown
    Юлия|Петрова = Olga|Smirnova
    Nora Alder = Tom|Birch
    |Alder = Tom|Birch
    """),
)
def test_a1_other_first_name_is_another_person(one: str, other: str) -> None:
    assert match(one, other).agreement is DIFFERENT


# --- A2, A3: surnames that share a particle, a letter or nothing --------------------------------------------------


@pytest.mark.parametrize("first", ["Jan", "Anna", "Marie", "Sarah", "Omar"])
@pytest.mark.parametrize(
    ("one", "other"),
    pairs("""
    van den Berg = van Dijk
    de Vries = de Boer
    Le Goff = Le Roux
    Al-Sayed = Al-Harbi
    da Silva = da Costa
    von Stein = von Hagen
    van der Meer = van de Velde
    dos Santos = de Souza
    di Stefano = della Valle
    El Khoury = El Amrani
    Ben Salem = Ben Youssef
    Ter Horst = Ten Brink
    St. John = St. Clair
    O'Brien = Owens
    O’Neill = Osborne
    D'Angelo = Duval
    D'Souza = Dumas
    L'Heureux = Lopez
    Dell'Acqua = Della Valle
    """),
)
def test_a2_a3_surnames_with_particles_are_no_marriage(first: str, one: str, other: str) -> None:
    assert match(f"{first}|{one}", f"{first}|{other}") == NameMatch(CHANGED, "the surnames differ", False)


@pytest.mark.parametrize(
    ("one", "other"),
    pairs("""
    John|Smith Jr. = John|Smith Sr.
    John|Smith, Jr. = John|Smith, Sr.
    John Smith Jr = John Smith Sr
    John|Smith III = John|Smith II
    João|Silva Filho = João|Silva Neto
    Paul|Durand fils = Paul|Durand père
    John|Smith Jr., MBA = John|Smith Sr.
    """),
)
def test_a3_generations_tell_father_from_son(one: str, other: str) -> None:
    assert match(one, other) == NameMatch(DIFFERENT, "the generations (Jr, Sr, III) differ")


@pytest.mark.parametrize(
    ("one", "other"),
    pairs("""
    Dana|D. = Dana|Dvorak
    Dana D. = Dana|Dvorak
    Dana|D = Dana|D.
    D.|Dvorak = Dana|Dvorak
    J.|Stone = J.|Stone
    J.R.|Stone = John Robert|Stone
    John A.|Stone = John B.|Stone
    J. Robert|Stone = John|Stone
    |Smith = John|Smith
    Smith = John|Smith
    Anna| = Anna|Smith
    """),
)
def test_a3_initials_and_half_names_are_for_a_human(one: str, other: str) -> None:
    assert match(one, other).agreement is NEAR


# --- A4: one surname, written in several ways ---------------------------------------------------------------------


@pytest.mark.parametrize(
    ("one", "other"),
    pairs("""
    Jan|van den Berg = Jan|Vandenberg
    Jan van den|Berg = Jan|van den Berg
    Jan|de Boer = Jan|Deboer
    Pat|O'Brien = Pat|OBrien
    Pat|O’Brien = Pat|Obrien
    Pat|O Brien = Pat|O'Brien
    Pat|Mc Donald = Pat|McDonald
    Juan|de la Cruz = Juan|Cruz
    Juan|de la Cruz = Juan|Delacruz
    Omar|Al-Sayed = Omar|Alsayed
    Omar|Al Sayed = Omar|El-Sayed
    Åse|Nygård = Aase|Nygaard
    Åse|Nygård = Ase|Nygard
    Per|Aagaard = Per|Ågård
    Anna|Müller = Anna|Mueller
    Anna|Müller = Anna|Muller
    Bjørn|Østby = Bjoern|Oestby
    Bjørn|Østby = Bjorn|Ostby
    Jan|Bär = Jan|Baer
    Anna|Öz = Anna|Oz
    Anna|Weiß = Anna|Weiss
    Łukasz|Dvořák = Lukasz|Dvorak
    Đorđe|Nikolić = Djordje|Nikolic
    Ana|Núñez = ANA|nunez
    Jean‑Luc|Moreau = Jean Luc|Moreau
    Jean-Luc|Moreau = Jeanluc|Moreau
    Luis|Lopez y Garcia = Luis|Lopez Garcia
    Екатерина|Иванова = Ekaterina|Ivanova
    Γιώργος|Παπαδόπουλος = Giorgos|Papadopoulos
    """),
)
def test_a4_p7_one_name_written_in_several_ways(one: str, other: str) -> None:
    assert match(one, other).agreement is SAME


@pytest.mark.parametrize("form", ["NFC", "NFD", "NFKC", "NFKD"])
def test_a4_the_form_of_unicode_does_not_matter(form: str) -> None:
    written = unicodedata.normalize(form, "André|Ågård")  # type: ignore[arg-type]
    assert match(written, "Andre|Aagaard").agreement is SAME


@pytest.mark.parametrize(
    ("one", "other"),
    pairs("""
    Dr. Anna|Stone = Anna|Stone
    Prof. Dr.-Ing. Anna|Stone = Anna|Stone
    Anna|Stone, MBA, PhD = Anna|Stone
    Anna Stone, MD = Anna|Stone
    Mme Anna|Stone = Anna|Stone
    Anna|Stone (she/her) = Anna|Stone
    Anna|Stone 🌟 = Anna|Stone
    John|Smith Jr. = John|Smith
    John Q.|Stone = John|Stone
    """),
)
def test_titles_degrees_and_symbols_say_nothing(one: str, other: str) -> None:
    assert match(one, other).agreement is SAME


# --- A5: nicknames, spellings, romanisations, double names --------------------------------------------------------


@pytest.mark.parametrize(
    ("one", "other"),
    pairs("""
    Bob = Robert
    Rob = Robert
    Bill = William
    Liz = Elizabeth
    Beth = Elizabeth
    Peggy = Margaret
    Ted = Edward
    Jack = John
    Kate = Katherine
    Katie = Kate
    Chris = Christopher
    Chris = Christine
    Alex = Alexandra
    Mike = Michael
    Sasha = Aleksandr
    Dima = Dmitriy
    Pepe = José
    Paco = Francisco
    Hans = Johannes
    Kasia = Katarzyna
    Al = Albert
    Ben = Benjamin
    Ed Thomas = Edward
    Mohammed = Muhammad
    Mohamed = Mohammad
    Yusuf = Youssef
    Aleksandr = Alexander
    Sergei = Sergey
    Юлия = Julia
    Manuel = Emmanuel
    Sofía = Sophia
    Catherine = Katherine
    Stephen = Steven
    Jon = John
    Sara = Sarah
    Eric = Erik
    Tatjana = Tatyana
    Anne = Anne-Marie
    José Luis = José
    John A. = John Albert
    Robert (Bob) = Bob
    Robert (Skip) = Skip
    Lisabeth = Elisabeth
    Elizabeth "Liz" = Liz
    Mª José = María José
    Kate = Catherine
    Sepp = Josef
    Steffi = Stefanie
    Uli = Ulrike
    Jochen = Joachim
    Bas = Sebastiaan
    Wojtek = Wojciech
    Jarosław = Yaroslav
    Panos = Panagiotis
    Lyosha = Alexey
    Mo = Mohammed
    Rebekah = Rebecca
    """),
)
def test_a5_known_variants_of_a_first_name(one: str, other: str) -> None:
    assert match(f"{one}|Stone", f"{other}|Stone").agreement is VARIANT
    assert match(f"{one}|Stone", f"{other}|Birch").agreement in (CHANGED, DIFFERENT)


@pytest.mark.parametrize(
    ("one", "other"),
    pairs("""
    Garcia = Garcia Lopez
    Garcia-Lopez = Garcia
    Jones = Jones-Brown
    Brown (Jones) = Jones
    Brown née Jones = Jones
    Ivanov = Ivanova
    Smirnov = Smirnoff
    Kowalski = Kowalska
    Novák = Nováková
    Novotný = Novotná
    Tchaikovsky = Chaikovskiy
    Papadopoulos = Papadopoulou
    Hussein = Husain
    """),
)
def test_a5_known_variants_of_a_surname(one: str, other: str) -> None:
    assert match(f"Elena|{one}", f"Elena|{other}").agreement is VARIANT


@pytest.mark.parametrize(
    ("one", "other"),
    pairs("""
    Martin|Stone = Martina|Stone
    Paul|Stone = Paula|Stone
    Daniel|Stone = Danielle|Stone
    Jan|Stone = Juan|Stone
    Mary|Stone = Maria|Stone
    John|Stone = Jonathan|Stone
    Elizabeth|Stone = Lisa|Stone
    Alejandro|Ruiz = Alexander|Ruiz
    Giuseppe|Rossi = Joseph|Rossi
    Zhihao|Li = Zihao|Li
    Xiaojun|Li = Xiaoyun|Li
    Anna|Stone = Hannah|Stone
    Pierre|Moreau = Jean-Pierre|Moreau
    Catherine|Stone = Cathreine|Stone
    Anna|Meyer = Anna|Meier
    Anna|Smith = Anna|Smyth
    Anna|Clark = Anna|Clarke
    Paul|van Dyk = Paul|van Dyke
    Anna|Hernandez = Anna|Hernadez
    Pat|MacDonald = Pat|McDonald
    Maria|Garcia Lopez = Maria|Garcia Perez
    Omar|Sayed = Omar|Alsayed
    Eugene|Petrov = Yevgeny|Petrov
    Agnieszka|Nowak = Agnes|Nowak
    Moritz|Stone = Maurice|Stone
    Krzysztof|Nowak = Christopher|Nowak
    Klaus|Stone = Nikolaus|Stone
    JP|Moreau = Jean-Pierre|Moreau
    TJ|Stone = Thomas|Stone
    """),
)
def test_close_names_are_for_a_human(one: str, other: str) -> None:
    assert match(one, other).agreement is NEAR


@pytest.mark.parametrize(
    ("one", "other"),
    pairs("""
    Maria = Mario
    Ina = Anna
    Jan = Jane
    Jean = Joan
    Jean = Juan
    Jane = Joan
    Ian = Jan
    Johan = Joan
    Chen = Ken
    Cong = Kong
    Junjie = Junji
    Ali = Allie
    Zara = Sara
    Mark = Mary
    Marianne = Arianne
    Alejandro = Andro
    Kate = Karen
    Vicki = Victor
    Catherine = Cathleen
    Dan = Dana
    JP = Jean-Luc
    Gerd = Bernd
    Klaus = Nikolas
    Kata = Kate
    Christian = Christoph
    Uschi = Ulrike
    """),
)
def test_false_pairs_are_never_one_name(one: str, other: str) -> None:
    assert match(f"{one}|Stone", f"{other}|Stone").agreement in (NEAR, DIFFERENT)


@pytest.mark.parametrize(
    ("one", "other"),
    pairs("""
    Hansen = Jansen
    Becker = Decker
    Stone = Birch
    Berg = Borg
    Kim = Kin
    Petrov = Ivanov
    Stone = Stonehouse
    """),
)
def test_other_surnames_are_not_near(one: str, other: str) -> None:
    assert match(f"Tom|{one}", f"Tom|{other}").agreement is CHANGED


def test_two_close_parts_are_another_person() -> None:
    assert match("Paula|Hansen", "Paul|Hanson").agreement is DIFFERENT


# --- A6: order, and words divided in another way ------------------------------------------------------------------


@pytest.mark.parametrize(
    ("one", "other"),
    pairs("""
    Zhang|Min = Min|Zhang
    Zhang Min = Min|Zhang
    Kim|Min-jun = Minjun|Kim
    Müller, Anna = Anna|Mueller
    Nguyen Van|An = An|Nguyen Van
    Mary Ann|Smith = Mary|Ann Smith
    Ludwig van|Beethoven = Ludwig|van Beethoven
    Ana Garcia Lopez = Ana|Garcia Lopez
    Minh|Le = Le|Minh
    """),
)
def test_a6_order_does_not_matter(one: str, other: str) -> None:
    assert match(one, other).agreement is SAME


def test_a6_an_exchanged_nickname_is_a_variant() -> None:
    assert match("Stone|Bob", "Robert|Stone").agreement is VARIANT


# --- A8: a surname that changed -----------------------------------------------------------------------------------


@pytest.mark.parametrize("first", ["Mary", "Sarah", "Liz", "Anne-Marie", "Léa", "Ingrid", "Chiara", "Priya", "Elena"])
def test_a8_a_surname_changed_by_marriage_is_plausible(first: str) -> None:
    assert match(f"{first}|Jones", f"{first}|Brown") == NameMatch(CHANGED, "the surnames differ", True)
    assert match(f"{first}|van Dijk", f"{first}|Brown").plausible_marriage


@pytest.mark.parametrize("first", ["John", "Mohammed", "Luca", "Nikita", "Sasha", "Joshua", "Bob", "Mustafa", "Wei"])
def test_a8_for_other_first_names_it_is_not(first: str) -> None:
    assert match(f"{first}|Jones", f"{first}|Brown") == NameMatch(CHANGED, "the surnames differ", False)


def test_a8_a_nickname_may_marry_too() -> None:
    assert match("Liz|Jones", "Elizabeth|Brown").plausible_marriage


def test_marriage_is_only_told_of_a_changed_surname() -> None:
    assert not match("Mary|Jones", "Mary|Jones").plausible_marriage
    assert not match("Mary|Jones", "Anna|Brown").plausible_marriage


def test_a_name_that_stands_for_a_man_and_a_woman_is_no_evidence() -> None:
    assert not usually_female("pat")
    assert not usually_female("alex")


# --- what cannot be compared --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("one", "other"),
    pairs("""
     = John|Smith
    ---|... = John|Smith
    山田|太郎 = Taro|Yamada
    محمد|علي = John|Smith
    Anna| = |Smith
    """),
)
def test_nothing_comparable_is_unknown(one: str, other: str) -> None:
    assert match(one, other).agreement is UNKNOWN


@pytest.mark.parametrize(
    ("one", "other", "agreement"),
    [
        ("小龙|Sandoval", "Chloé|Ferreira", DIFFERENT),
        ("小龙|Sandoval", "Ferreira|Chloé", DIFFERENT),
        ("محمد|Haddad", "John|Smith", DIFFERENT),
        ("小龙|Sandoval", "Bruce|Sandovál", UNKNOWN),
        ("小龙|Sandoval", "Sandoval|Bruce", UNKNOWN),
        ("小龙|O'Brien", "Ada|Obrien", UNKNOWN),
        ("小龙 Bruce|Lee", "Bruce|Li", UNKNOWN),
        ("Amy|王", "Xiaolong|Wang", UNKNOWN),
        ("Amy|王", "Chloé|Ferreira", UNKNOWN),
    ],
)
def test_surnames_that_can_be_compared_tell_two_people_apart_although_a_first_name_can_not(
    one: str, other: str, agreement: Agreement
) -> None:
    assert match(one, other).agreement is agreement
    assert match(other, one).agreement is agreement


def test_characters_are_compared_as_written_not_by_their_reading() -> None:
    assert match("伟|王", "伟|王").agreement is SAME
    assert match("伟|王", "维|王").agreement is NEAR
    assert match("伟|王", "Wei|Wang").agreement is VARIANT
    assert key("伟", "王") != key("维", "王")


def test_the_reason_does_not_name_anybody() -> None:
    for one, other in (("Bob|Stone", "Robert|Stone"), ("Mary|Jones", "Mary|Brown"), ("D.|Dvorak", "Dana|Dvorak")):
        words = set(match(one, other).why.casefold().split())
        assert words.isdisjoint({"bob", "robert", "stone", "mary", "jones", "brown", "dana", "dvorak"})


def test_first_and_last_name_stand_above_the_full_name() -> None:
    assert compare(Name(first="Ann", last="Birch", full="Tom Alder"), name("Ann|Birch")).agreement is SAME
    assert compare(Name(first="Ann", full="Ann Birch"), name("Ann|Birch")).agreement is SAME


# --- keys and folding ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("one", "other"),
    pairs("""
    Sean|O’Brien = Sean|O'Brien
    Sean|O`Brien = SEAN|OBrien
    Ana|García = Ana|Garcia
    Jean‑Luc|Moreau = Jean-Luc|Moreau
    Jean Luc|Moreau = Jeanluc|Moreau
    Anna|Müller = Anna|Mueller
    Åse|Nygård = Aase|Nygaard
    Per|Aagaard = Per|Ågård
    Jan|van den Berg = Jan van den|Berg
    Jan|van den Berg = Jan|Vandenberg
    Dr. Anna|Stone = Anna|Stone, PhD
    John Q.|Stone = John|Stone
    """),
)
def test_p7_one_key(one: str, other: str) -> None:
    mine, theirs = name(one), name(other)
    assert key(mine.first, mine.last) == key(theirs.first, theirs.last) is not None


@pytest.mark.parametrize(
    ("one", "other"),
    pairs("""
    Jan|van den Berg = Jan|van Dijk
    Jan|van den Berg = Jan|Berg
    John|Smith Jr. = John|Smith Sr.
    John|Smith Jr. = John|Smith
    Bob|Stone = Robert|Stone
    Xue|Li = Xu|Li
    Xuefeng|Li = Xufeng|Li
    Anna|Baer = Anna|Bar
    Ben|Stone = Ed|Stone
    Paul|Martin = Martin|Paul
    """),
)
def test_other_names_have_other_keys(one: str, other: str) -> None:
    mine, theirs = name(one), name(other)
    assert None not in (key(mine.first, mine.last), key(theirs.first, theirs.last))
    assert key(mine.first, mine.last) != key(theirs.first, theirs.last)


@pytest.mark.parametrize(
    "text", ["Anna|", "|Stone", "Anna|S.", "A.|Stone", "Anna|van der", "Anna|-", "...|Stone", "J.R.|Stone"]
)
def test_a_name_that_vouches_for_nobody_has_no_key(text: str) -> None:
    assert key(name(text).first, name(text).last) is None


@pytest.mark.parametrize(
    ("raw", "folded"),
    [
        ("Jean\u2011Luc", "jean luc"),
        ("  O\u2019Brien ", "obrien"),
        ("García", "garcia"),
        ("Mu\u0308ller", "muller"),
        ("Zoe\u0308", "zoe"),
        ("So\u00adphie", "sophie"),
        ("Иванов", "ivanov"),
        ("Ｊｏｈｎ", "john"),
        ("İpek", "ipek"),
        ("...", ""),
    ],
)
def test_fold(raw: str, folded: str) -> None:
    assert fold(raw) == folded
    assert fold(folded) == folded


def test_comparing_is_cheap() -> None:
    """The budget of a contact is 60 µs; this guards against another order of magnitude, not against a slow machine."""
    one, other = name("Mary|Jones"), name("Mary|Jones")
    assert min(timeit.repeat(lambda: compare(one, other), number=1000, repeat=5)) / 1000 < 100e-6
