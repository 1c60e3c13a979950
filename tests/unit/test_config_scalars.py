"""Single values as YAML 1.2 and cron mean them, or a refusal with the line: never something else in silence."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from syncd.config import CronLine
from syncd.config.core_schema import value
from syncd.config.scalars import safe_url, seconds, size

from .test_config import changed, problems, read

OWNER = 'owner: ["$NOT_REPLACED"]'


# --- YAML 1.2's core schema -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        *((text, text) for text in ("NO", "no", "yes", "Y", "n", "on", "OFF", "tRUE", "nULL", "<<", "=", "2026-11-27")),
        *((text, text) for text in ("12:30", "1:30:00", "1_000", "0b11", "0o8", "0x", "+0x1", "1e", "--1", "1,5")),
        ("0500", 500),
        ("01000", 1000),
        ("-075", -75),
        ("+7", 7),
        ("0o17", 15),
        ("0x1F", 31),
        ("1.50", 1.5),
        (".5", 0.5),
        ("1e3", 1000.0),
        ("true", True),
        ("FALSE", False),
        ("~", None),
        ("", None),
        ("Null", None),
    ],
)
def test_c1_plain_scalars_are_those_of_yaml_1_2(text: str, expected: object) -> None:
    assert value(text) == expected
    assert type(value(text)) is type(expected)


@pytest.mark.parametrize("text", [".inf", "-.INF", ".nan", "1e999", "9" * 50, "0x" + "F" * 5000, "1" * 5000])
def test_c1_a_number_that_is_of_no_use_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="quotes"):
        value(text)


def matching(tmp_path: Path, terms: str) -> Any:
    (sync,) = read(tmp_path, changed(OWNER, terms)).syncs
    return sync.match


def test_c1_values_of_a_match_are_what_stands_there(tmp_path: Path) -> None:
    assert matching(tmp_path, "v: [SE, NO, on, 12:30, 1_000, 2026-01-01, 75, -1, 1.5, true, '075', \"null\"]") == {
        "v": ["SE", "NO", "on", "12:30", "1_000", "2026-01-01", 75, -1, 1.5, True, "075", "null"]
    }


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ("01000", "is read as 1000; write 1000, or put it in quotes if it is text"),
        ("075", "is read as 75"),
        ("0o17", "is read as 15"),
        ("0x1F", "is read as 31"),
        ("+33", "is read as 33"),
        ("12e5", "is read as 1200000.0"),
        ("1.10", "is read as 1.1"),
        ("TRUE", "is read as true"),
        ("~", "is empty; write a value"),
        ("NULL", "is empty; write a value"),
        (".inf", "is no number that syncd can work with"),
    ],
)
@pytest.mark.parametrize("place", ["value: {}", "values: [a, {}]", "filters: [{{ value: {} }}]"])
def test_c1_what_a_match_could_mean_either_way_is_refused(tmp_path: Path, place: str, written: str, said: str) -> None:
    (problem,) = problems(tmp_path, changed(OWNER, place.format(written)))
    assert problem.startswith("c.yaml:15: syncs[0].match.")
    assert said in problem


@pytest.mark.parametrize(
    ("written", "amount"), [("0500", 500), ("1e3", 1000), ("0.50", "0.5"), ("'0500'", 500), ("0x10", 16)]
)
def test_c1_a_budget_is_the_number_that_yaml_1_2_reads(tmp_path: Path, written: str, amount: object) -> None:
    (sync,) = read(tmp_path, changed("credits_per_day: 500", f"credits_per_day: {written}")).syncs
    assert sync.budget.credits_per_day == Decimal(str(amount))


@pytest.mark.parametrize(
    "written", ["1:30", "12:30", "500d", "NO", ".inf", ".nan", "1e999", "inf", "nan", "true", "[]"]
)
def test_c1_what_is_no_number_of_credits_is_refused_with_its_line(tmp_path: Path, written: str) -> None:
    (problem,) = problems(tmp_path, changed("credits_per_day: 500", f"credits_per_day: {written}"))
    assert problem.startswith("c.yaml:19: syncs[0].budget.credits_per_day: ")


@pytest.mark.parametrize("written", ["1_000", "1_0.5", "'1_000'", "-1_0", "1_0e1"])
@pytest.mark.parametrize(
    ("old", "new", "place"),
    [
        ("credits_per_day: 500", "credits_per_day: {}", "19: syncs[0].budget.credits_per_day"),
        ("when_unavailable: next", "priority: {}", "20: syncs[0].priority"),
        ("credits_per_day: 500", "credits_per_month: {}", "19: syncs[0].budget.credits_per_month"),
    ],
)
def test_c1_a_number_has_no_underscores(tmp_path: Path, old: str, new: str, place: str, written: str) -> None:
    found = problems(tmp_path, changed(old, new.format(written)))
    assert f"c.yaml:{place}: is no number; write it without underscores, such as 10000" in found


@pytest.mark.parametrize(
    "written", ["12:30", "1:30", "90", "0500", "1_000s", "1e3s", ".inf", "1e3", "30d 12", "-1h", "5 years"]
)
def test_c1_what_is_no_duration_is_refused_with_its_line(tmp_path: Path, written: str) -> None:
    (problem,) = problems(tmp_path, changed("raw: 2w", f"raw: {written}"))
    assert problem.startswith("c.yaml:1: ledger.keep.raw: ")


@pytest.mark.parametrize(("written", "whether"), [("yes", True), ("off", False), ("NO", False), ("true", True)])
def test_c1_yes_and_no_are_still_understood_where_only_they_make_sense(
    tmp_path: Path, written: str, whether: bool
) -> None:
    (sync,) = read(tmp_path, changed("when_unavailable: next", f"paused: {written}")).syncs
    assert sync.paused is whether


def test_durations_and_sizes_have_an_end() -> None:
    for wrong in ("99999999999d", "1000000000000000000000w"):
        with pytest.raises(ValueError, match="hundred years"):
            seconds(wrong)
    for raw in ("9999999999TiB", 2**70):
        with pytest.raises(ValueError, match=r"larger than any disk|is no size"):
            size(raw)


# --- cron -----------------------------------------------------------------------------------------


def moments(line: str, zone: str, start: str, count: int) -> list[str]:
    place, cron, found = ZoneInfo(zone), CronLine(line, zone), list[str]()
    at = datetime.fromisoformat(start).replace(tzinfo=place).timestamp()
    for _ in range(count):
        at = cron.next_after(at) or 0.0
        found.append(datetime.fromtimestamp(at, place).strftime("%m-%d %H:%M %z"))
    return found


@pytest.mark.parametrize("line", ["0 0 31 2 *", "0 0 30 2 *", "0 0 31 4,6 *", "0 0 31 feb *", "0 0 30,31 2 *"])
def test_c2_a_line_that_never_fires_is_refused(tmp_path: Path, line: str) -> None:
    (problem,) = problems(tmp_path, changed("*/15 * * * 1-5", line))
    assert problem.startswith("c.yaml:14: syncs[0].schedule: never comes: no month of ")
    assert CronLine("0 0 29 2 *").next_after(0)


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("0 9 13 * 5", ["12-04", "12-11", "12-13"]),  # the 13th, and Fridays
        ("0 9 */2 * 1", ["12-07", "12-21", "01-11"]),  # Mondays with an odd date: `*` in a part makes it an and
        ("0 9 * * sun-tue", ["11-29", "11-30", "12-01"]),
        ("0 9 * * FRI-Sun", ["11-28", "11-29", "12-04"]),
        ("0 9 1 jan-mar mon", ["01-01", "01-04", "01-11"]),
        ("@weekly", ["11-29", "12-06", "12-13"]),
        ("@yearly", ["01-01", "01-01", "01-01"]),
        (" @Daily ", ["11-28", "11-29", "11-30"]),
    ],
)
def test_c8_lines_mean_what_debians_cron_makes_of_them(line: str, expected: list[str]) -> None:
    assert [one[:5] for one in moments(line, "UTC", "2026-11-27T12:00", 3)] == expected


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("@reboot", "@reboot is no time"),
        ("0 24 * * *", "its hour is wrong"),
        ("0 0 * * fri-tue", "its day-of-week is wrong"),
        ("0 0 0 * *", "its day-of-month is wrong"),
        ("0 0 1 13 *", "its month is wrong"),
        ("*/0 * * * *", "its minute is wrong"),
    ],
)
def test_c8_a_wrong_line_is_told_by_its_part(line: str, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        CronLine(line)


def test_c8_clocks_that_are_changed_cost_no_moment_and_double_none() -> None:
    assert moments("30 2 * * *", "Europe/Paris", "2026-03-28T12:00", 2) == ["03-29 03:00 +0200", "03-30 02:30 +0200"]
    assert moments("30 2 * * *", "Europe/Paris", "2026-10-24T12:00", 2) == ["10-25 02:30 +0200", "10-26 02:30 +0100"]
    assert len(set(moments("*/30 * * * *", "Europe/Paris", "2026-10-25T01:45", 4))) == 4


def test_c8_a_sync_has_its_time_zone(tmp_path: Path) -> None:
    (sync,) = read(tmp_path, changed('1-5"', '1-5"\n    time_zone: Europe/Paris')).syncs
    assert sync.time_zone == "Europe/Paris"
    (problem,) = problems(tmp_path, changed('1-5"', '1-5"\n    time_zone: Paris'))
    assert problem == "c.yaml:15: syncs[0].time_zone: is no time zone; did you mean Europe/Paris?"


# --- references -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text", ["${OWL:-d}", "${OWL-d}", "${ OWL }", "$OWL", "$(cat key)", "${OWL", "${OWL}${}", "${1}"]
)
def test_c3_what_only_a_shell_would_replace_is_refused(tmp_path: Path, text: str) -> None:
    (problem,) = problems(tmp_path, changed('"${OWL}"', f"'{text}'"))
    assert problem.startswith(
        'c.yaml:8: connections.owl.api_key: holds a $ that is no reference; syncd reads "${NAME}"'
    )


@pytest.mark.parametrize(
    ("old", "new", "place"),
    [
        ("path: ledger.db", "path: $HOME/ledger.db", "1: ledger.path"),
        ("https://enrich.example.com/", "'https://${HOST:-a}/'", "4: callbacks.public_url"),
        ("property: mobile", "property: '$PHONE'", "18: syncs[0].fields.phone.property"),
        ("object: people", "object: '${KIND:-people}'", "13: syncs[0].object"),
    ],
)
def test_c3_in_no_other_place_either(tmp_path: Path, old: str, new: str, place: str) -> None:
    assert any(problem.startswith(f"c.yaml:{place}: holds a $") for problem in problems(tmp_path, changed(old, new)))


def test_c3_a_variable_may_stand_in_a_sync_but_not_in_its_match(tmp_path: Path) -> None:
    text = changed("credits_per_day: 500", 'credits_per_day: "${CAP}"')
    (sync,) = read(tmp_path, text, {"SIGN": "s" * 32, "BOX": "b-canary", "OWL": "o-canary", "CAP": "70"}).syncs
    assert sync.budget.credits_per_day == 70
    (problem,) = problems(tmp_path, changed(OWNER, 'owner: ["${TEAM}"]'))
    assert problem.startswith("c.yaml:15: syncs[0].match.owner[0]: holds ${, and nothing is replaced in a match")


def test_c3_a_secret_may_have_a_dollar_in_it(tmp_path: Path) -> None:
    owl: Any = read(tmp_path, changed('"${OWL}"', "'pa$word'")).connections["owl"].options
    assert owl.api_key.get_secret_value() == "pa$word"


@pytest.mark.parametrize("old", ["path: ledger.db", '"${OWL}"'])
def test_c3_a_home_folder_is_a_shells_affair(tmp_path: Path, old: str) -> None:
    new = "path: ~/ledger.db" if old.startswith("path") else "{ file: ~/key }"
    (problem,) = problems(tmp_path, changed(old, new))
    assert "begins with ~, which only a shell knows" in problem


# --- hosts ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        ("https://bücher.example", "https://xn--bcher-kva.example"),
        ("https://BÜCHER.example:8443/ä b".replace(" ", ""), "https://xn--bcher-kva.example:8443/%C3%A4b"),
        ("https://例え.テスト/", "https://xn--r8jz45g.xn--zckzah"),
        ("HTTPS://Enrich.Example.COM", "https://enrich.example.com"),
        ("https://[2001:DB8::1]:1/x/", "https://[2001:db8::1]:1/x"),
        ("http://127.0.0.1:1/%7Ex", "http://127.0.0.1:1/%7Ex"),
    ],
)
def test_c4_a_host_is_told_as_name_servers_know_it(raw: str, expected: str) -> None:
    assert safe_url(raw) == expected


@pytest.mark.parametrize(
    "host", ["☃.example", "a..b.example", "-a.example", "a%20b.example", "x" * 64 + ".example", "a,b", "$X"]
)
def test_c4_a_host_that_no_name_server_can_know_is_refused(tmp_path: Path, host: str) -> None:
    with pytest.raises(ValueError, match=r"has a host (that no name server|with characters)"):
        safe_url(f"https://{host}")
    (problem,) = problems(tmp_path, changed("https://enrich.example.com/", "https://☃.example"))
    assert problem.startswith("c.yaml:4: callbacks.public_url: has a host that no name server can know")


@pytest.mark.parametrize("line", ["*/15 * * * *", "@daily"])
def test_c8_a_cron_line_without_quotes_is_told_that_it_needs_them(tmp_path: Path, line: str) -> None:
    (problem,) = problems(tmp_path, changed('"*/15 * * * 1-5"', line))
    assert problem.startswith("c.yaml:14: ")
    assert "(what begins with *, @, % or & needs quotes)" in problem


def test_c4_names_of_the_private_listener_are_hosts_too(tmp_path: Path) -> None:
    admin = "admin: {{ hosts: [{}] }}\n"
    settings = read(tmp_path, admin.format("Bücher.example, '*.acme.example', NO") + changed("x/", "x/"))
    assert settings.admin.hosts == ("xn--bcher-kva.example", "*.acme.example", "no")
    (problem,) = problems(tmp_path, admin.format("☃.example") + changed("x/", "x/"))
    assert problem.startswith("c.yaml:1: admin.hosts[0]: has a host that no name server can know")


def test_a_key_without_a_value_is_told_so(tmp_path: Path) -> None:
    (problem,) = problems(tmp_path, changed("credits_per_day: 500", "time_zone:"))
    assert problem == "c.yaml:19: syncs[0].budget.time_zone: is empty; write a value, or leave the key out"
