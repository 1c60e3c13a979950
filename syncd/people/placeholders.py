"""What stands in a company's place where there is none: the words of forms, programs and people. Lists and their test.

Compared by `text.words`, written together: "Self-employed", "SELF EMPLOYED" and "selfemployed" are one entry.
"""

# ruff: noqa: RUF001 - the Cyrillic letters are meant

from __future__ import annotations

import re
from functools import cache, lru_cache

from .text import fold, listed, together, words

# Nothing is known. CRMs fill a required field by themselves ("[not provided]", "[[Unknown]]").
_UNKNOWN = """
multiple; several; to be updated; please update; unknown please update; to be completed
none at this time; no; yes; nan; ref; company name here; à compléter; à définir; non défini; nsp; s/o
sans; pas de société; pas d'entreprise; pas d'employeur; a definir; por definir; da definire; sin
sin definir; 無し; unknown ltd; unknown inc; none ltd; unknown; unknown company; not provided
none provided; not available; not applicable; not specified; unspecified; not known; not set; not listed
not found; not disclosed; no company; no company provided; no employer; no account; none; null; nil
undefined; missing; empty; blank; n/a; n.a; na; n/d; nd; tbd; tba; tbc; to be determined
to be confirmed; default; other; others; misc; miscellaneous; various; see linkedin; see profile
not available see linkedin; company; company name; name; your company; your company name; my company
my company name; account name; employer; current company; organization; nc; n/c; inconnu; inconnue
société inconnue; non renseigné; non renseignée; non communiqué; non précisé; non spécifié
non disponible; non applicable; sans objet; sans société; sans entreprise; aucun; aucune; aucune société
néant; autre; autres; divers; nom de la société; nom de l'entreprise; unbekannt; nicht angegeben
nicht bekannt; nicht verfügbar; nicht vorhanden; nicht zutreffend; keine angabe; keine angaben; k.a
ohne firma; keine firma; keine; kein; ohne; entfällt; sonstige; sonstiges; andere; firma; desconocido
desconocida; no disponible; no aplica; no especificado; sin empresa; sin especificar; ninguno; ninguna
nombre de la empresa; otro; otros; otra; sconosciuto; sconosciuta; non specificato; non fornito; nessuno
nessuna; nessuna azienda; altro; desconhecido; não informado; não disponível; não aplicável; não há
sem empresa; nenhum; nenhuma; outro; outros; onbekend; niet bekend; niet van toepassing; nvt; n.v.t
geen; geen bedrijf; overig; okänd; okänt; ej angivet; saknas; ingen; inget; ukjent; ukendt; ikke oppgitt
ikke angivet; tuntematon; ei tiedossa; nieznany; nieznana; brak; brak danych; nie dotyczy; neznámý
neznámá; neuvedeno; neznámy; ismeretlen; nincs; necunoscut; nespecificat; bilinmiyor; belirtilmemiş; yok
άγνωστο; неизвестно; не указано; нет; не вказано; невідомо; 不明; なし; 未知; 无; 無; 없음; 미상; غير معروف; לא ידוע
"""

# Works alone: the words are no company's name, in the languages of those who fill in the field.
_SELF_EMPLOYED = """
consultant; consultant indépendant; consultante indépendante; artisan; indipendente
consulente indipendente; consultor independiente; trabajadora por cuenta propia
trabajador por cuenta propia; selbständiger berater; selbstständiger berater
freiberuflicher berater; me myself and i; ип; freelance consultant; self; self employed
self-employment; self employ; freelance; freelancer; freelancing; free lance
free-lancer; independent; independent contractor; contractor; independent professional
sole trader; sole proprietor; sole proprietorship; own business; my own business
own company; my own company; myself; me; self contractor; self consultant; independant
entrepreneur; indépendant; indépendante; travailleur indépendant
travailleuse indépendante; auto-entrepreneur; auto-entrepreneuse; auto entreprise
micro-entrepreneur; micro-entreprise; à mon compte; à son compte; profession libérale
libéral; entreprise individuelle; entrepreneur individuel; selbständig; selbstständig
selbständige; selbstständige; selbständiger; selbstständiger; freiberufler
freiberuflerin; freiberuflich; freischaffend; freier mitarbeiter; freie mitarbeiterin
einzelunternehmer; einzelunternehmen; autónomo; autónoma; trabajador autónomo
trabajadora autónoma; por cuenta propia; cuenta propia; independiente
trabajador independiente; libero professionista; libera professionista
lavoratore autonomo; autonomo; in proprio; partita iva; ditta individuale; autônomo
autônoma; trabalhador independente; independente; trabalhador autônomo
por conta própria; conta própria; profissional liberal; empresário em nome individual
zelfstandig; zelfstandige; zelfstandig ondernemer; zelfstandig professional; zzp; zzp'er
eenmanszaak; eigen baas; egenföretagare; egen företagare; eget företag; enskild firma
frilans; frilansare; selvstendig næringsdrivende; selvstendig; frilanser
enkeltpersonforetak; selvstændig; selvstændig erhvervsdrivende; freelancekonsulent
yrittäjä; itsenäinen yrittäjä; itsenäinen ammatinharjoittaja; toiminimi; samozatrudniony
samozatrudniona; samozatrudnienie; własna działalność; działalność gospodarcza
jednoosobowa działalność gospodarcza; wolny strzelec; osvč; na volné noze; živnostník
szčo; egyéni vállalkozó; szabadúszó; önálló vállalkozó; liber profesionist
persoană fizică autorizată; serbest; serbest çalışan; serbest meslek; kendi işim
ελεύθερος επαγγελματίας; αυτοαπασχολούμενος; самозанятый; самозанятая; фрилансер
фриланс; индивидуальный предприниматель; самозайнятий; самозайнята; фоп; フリーランス; 個人事業主
自営業; 自由职业; 自由职业者; 个体户; 프리랜서; 자영업; عمل حر; مستقل; עצמאי; עצמאית
"""

# Somebody does not say it.
_HIDDEN = """
confidential; company confidential; strictly confidential; undisclosed; private; anonymous; stealth
stealth startup; stealth mode; stealth mode startup; stealth ai startup; stealth start-up; in stealth
secret; hidden; withheld; confidentiel; confidentielle; société confidentielle; anonyme; privé; privée
vertraulich; privat; anonym; confidencial; privado; privada; anónimo; riservato; confidenziale; privato
vertrouwelijk; privé; anoniem; konfidentiell; poufne; gizli; конфиденциально; частное лицо; 非公開; 保密
"""

# No employment, or none with a name.
_NOT_EMPLOYED = """
not currently employed; currently unemployed; currently not working; currently looking
actively looking; seeking; in transition; phd student; high school student; college student
doctorant; doctorante; intern; trainee; stagiaire; alternant; alternante; bénévole; household
family; personal use; private client; physical person; 個人; 个人; 개인; физлицо; student; students
graduate student; university student; étudiant; étudiante; etudiant; studentin; schüler; schülerin
estudiante; studente; studentessa; estudante; opiskelija; uczeń; öğrenci; студент; 学生; 학생; retired
retiree; retirement; pensioner; retraité; retraitée; à la retraite; rentner; rentnerin; im ruhestand
pensioniert; jubilado; jubilada; pensionato; pensionata; in pensione; aposentado; aposentada
reformado; gepensioneerd; pensionär; pensionerad; pensionist; eläkeläinen; emeryt; emekli; пенсионер
unemployed; not employed; not working; between jobs; job seeker; jobseeker; job seeking
looking for a job; looking for work; looking for opportunities; seeking new opportunities
seeking opportunities; open to work; available; career break; sabbatical; on leave; maternity leave
sans emploi; demandeur d'emploi; en recherche d'emploi; en recherche; chômage; au chômage
arbeitslos; arbeitssuchend; arbeitsuchend; auf jobsuche; desempleado; desempleada
en búsqueda de empleo; disoccupato; disoccupata; in cerca di lavoro; desempregado; desempregada
werkloos; werkzoekend; arbetslös; arbetssökande; arbeidsledig; työtön; bezrobotny; işsiz
безработный; housewife; homemaker; stay at home mom; stay at home dad; home; at home; individual
person; private person; private individual; personal; particulier; particuliers; privatperson
privatkunde; particular; hausfrau; volunteer
"""

# Typed to try the form out, or to get past it.
_TRIALS = """
test gmbh; test ltd; test inc; test llc; test sarl; test sa; test ag; test corp; asdfasdf; sdfsdf
sdf; teste; prueba; essai; prova; тест; 测试; テスト; 테스트; test; tests; testing; tester; test test
test company; test account; test inc; demo; demo company; demo account; sample; sample company
dummy; dummy company; fake; fake company; foo; bar; foo bar; foobar; asdf; asdfg; asdfgh; asdfghjkl
asd; qwerty; qwertz; azerty; qwe; lorem ipsum; blah; bla; bla bla; bla bla bla; abc123; inc; ltd
llc; gmbh
"""

_ALONE = "a word for working alone"
_NOT_TOLD = "a word for a company that is not told"
_TRIAL = "a word for trying out"
_LISTS = {
    "a placeholder for an unknown company": _UNKNOWN,
    _ALONE: _SELF_EMPLOYED,
    _NOT_TOLD: _HIDDEN,
    "a word for having no employer": _NOT_EMPLOYED,
    _TRIAL: _TRIALS,
}


def _folded(block: str) -> frozenset[str]:
    return frozenset(fold(word) for word in listed(block))


# Beside a placeholder they add nothing: "Unknown Company", "Student account".
_GENERIC = _folded("""
company companies organisation organization account employer firm firma business name
""")
# Beside a word for working alone: what somebody does, not where.
_TRADES = _folded("""
and remote clients various fulltime parttime full time part photographe graphiste développeur formateur
consultante berater beraterin consultor consultora consulente entwickler entwicklerin designerin diseñador fotograf
consultant consulting designer developer writer journalist photographer translator editor artist engineer advisor
coach trainer programmer marketer copywriter recruiter researcher graphic web software professional work worker
""")
_BEGINNINGS = ("selfemploy",)  # whatever follows: no company is called so
# Beside "stealth": what it will be, not who it is.
_VENTURES = _folded(
    "startup start up mode saas ai fintech biotech healthtech venture ventures project tech b2b health new"
)
# Between several words: "Retired / Consultant", "Freelance (self-employed)"; not in "N/A".
_BREAKS = re.compile(r"\s[-\u2013\u2014/]\s|(?<=\w{3})/(?=\w{3})|[,;|()]")


_BREAKING = frozenset("-\u2013\u2014/,;|()")
_CROSSES = re.compile(r"x{2,}")


@lru_cache(maxsize=8192)
def why_placeholder(company: str) -> str | None:
    """What kind of placeholder a company's name is ("a word for working alone"), or None. Expects tidy text."""
    if not (company[:1].isalnum() or any(c.isalnum() for c in company)) or not company.strip("0 .-"):
        return "a placeholder for an unknown company"
    found = _reason(words(company))
    if found is None and not _BREAKING.isdisjoint(company):
        found = _of_pieces([said for piece in _BREAKS.split(company) if (said := words(piece))])
    return found


def _of_pieces(pieces: list[tuple[str, ...]]) -> str | None:
    """Several placeholders in a row, beside trades: "Retired / Consultant"."""
    if len(pieces) < 2:
        return None
    reasons = [_reason(said) for said in pieces]
    beside = [said for said, reason in zip(pieces, reasons, strict=True) if reason is None]
    if not all(_TRADES.issuperset(said) for said in beside):
        return None
    return next((reason for reason in reasons if reason), None)


def _reason(said: tuple[str, ...]) -> str | None:
    united = together(said)
    if _CROSSES.fullmatch(united):
        return "a placeholder for an unknown company"
    if united.startswith(_BEGINNINGS):
        return _ALONE
    if united not in _table() and _vocabulary().isdisjoint([word.rstrip(_DIGITS) for word in said]):
        return None  # most companies: none of the words of a placeholder
    return _table().get(united) or _table().get(_without(said, _GENERIC)) or _beside(said)


def _beside(said: tuple[str, ...]) -> str | None:
    """ "Freelance graphic designer", "Stealth AI startup", "Test 1": with words that only go with some placeholders."""
    for kind, extra in ((_ALONE, _TRADES), (_NOT_TOLD, _VENTURES)):
        if _table().get(_without(said, extra)) == kind:
            return kind
    without_digits = tuple(plain for word in said if (plain := word.rstrip(_DIGITS)))
    return _TRIAL if _table().get(together(without_digits)) == _TRIAL else None


def _without(said: tuple[str, ...], extra: frozenset[str]) -> str:
    return together(tuple(word for word in said if word not in extra))


@cache
def _vocabulary() -> frozenset[str]:
    """Every word of a placeholder, also as it stands in a phrase."""
    phrases = (phrase for block in _LISTS.values() for phrase in re.split(r"[;\n]", block))
    return frozenset(_table()) | frozenset(word for phrase in phrases for word in words(phrase.strip()))


_DIGITS = "0123456789"


@cache
def _table() -> dict[str, str]:
    phrases = ((reason, phrase) for reason, listed in _LISTS.items() for phrase in re.split(r"[;\n]", listed))
    return {key: reason for reason, phrase in phrases if (key := together(words(phrase.strip())))}
