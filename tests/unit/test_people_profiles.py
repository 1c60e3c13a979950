"""LinkedIn profiles in the forms that browsers, apps and people show."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from syncd.people import profiles

JANE = "https://www.linkedin.com/in/jane"
MEMBER = "ACoAABmZx0BqWeRtYuIoPaSdFgHjKlZxCvBnM_-"


@pytest.mark.parametrize(
    "after",
    [
        "/overlay/contact-info/",
        "/details/experience/",
        "/details/skills",
        "/recent-activity/all/",
        "/recent-activity/shares",
        "/fr-fr",
        "/en-us/",
        "/en",
        "/de_DE/",
        "/zh-cn/?x=1",
        "/edit/intro/",
        "/opportunities/job-opportunities/details/",
        "//",
        "/?originalSubdomain=fr",
        "?trk=public_profile&utm_source=share",
        "?miniProfileUrn=urn%3Ali%3Afs_miniProfile%3AACoAAB",
        "#about",
        "/#experience",
        ")",
        ").",
        "/)",
        ".",
        ",",
        "/,",
        ";",
        "\u201d",
        " (personal)",
        " | @jane",
        "%2F",
        "%3Ftrk%3Dx",
        "&trk=x",
        ";jsessionid=1",
        "/https://www.linkedin.com/in/jane",
        "\\",
    ],
)
def test_q1_what_follows_the_handle_is_dropped(after: str) -> None:
    assert profiles.read(JANE + after) == JANE


@pytest.mark.parametrize(
    "raw",
    [
        "https://www.linkedin.com//in/jane",
        "https://www.linkedin.com/m/in/jane",
        "https://www.linkedin.com/comm/in/jane?midToken=x",
        "https://www.linkedin.com/mwlite/in/jane",
        "https://touch.www.linkedin.com/in/jane",
        "https://uk.linkedin.com/in/jane",
        "HTTP://M.LINKEDIN.COM/IN/JANE",
        "https://www.linkedin.com:443/in/jane",
        "https://www.linkedin.com./in/jane",
        "https://www.linkedin.cn/incareer/in/jane",
        "linkedin.com/in/jane",
        "//www.linkedin.com/in/jane",
        "https://www.linkedin.com/fr/in/jane",
        "https://www.linkedin.com/in/https://www.linkedin.com/in/jane",
        "https://www.linkedin.com/in/linkedin.com/in/jane",
        "https://www.linkedin.com/in/in/jane",
        "linkedin.com/in/jane linkedin.com/in/jane",
        "https://www.linkedin.com/redir/redirect?url=https%3A%2F%2Fwww.linkedin.com%2Fin%2Fjane",
        "in/jane",
        "/in/jane/",
        "https:/www.linkedin.com/in/jane",
        "https:www.linkedin.com/in/jane",
        "https//www.linkedin.com/in/jane",
        "htps://www.linkedin.com/in/jane",
        "https://https://www.linkedin.com/in/jane",
        r"https:\\www.linkedin.com\in\jane",
        "<https://www.linkedin.com/in/jane>",
        "(https://www.linkedin.com/in/jane)",
        '"linkedin.com/in/jane"',
        "[Jane](https://www.linkedin.com/in/jane)",
        "Jane Doe <https://www.linkedin.com/in/jane/>",
        "LinkedIn: https://www.linkedin.com/in/jane",
        "My profile on LinkedIn: linkedin.com/in/jane?trk=x",
        "\u200bhttps://www.linkedin.com/in/jane\ufeff",
        "https://www.linkedin.com/in/%6Aane",
        "https://www.linkedin.com/authwall?trk=x&sessionRedirect=https%3A%2F%2Ffr.linkedin.com%2Fin%2Fjane%2F",
        "https://www.linkedin.com/login?session_redirect=https%3A%2F%2Fwww.linkedin.com%2Fin%2Fjane",
    ],
)
def test_q1_forms_of_one_profile(raw: str) -> None:
    assert profiles.read(raw) == JANE


@pytest.mark.parametrize(
    "raw",
    [
        "linkedin.com/in/andr%C3%A9-dupont-1",
        "linkedin.com/in/andre%CC%81-dupont-1",
        "linkedin.com/in/andr\u00e9-dupont-1",
        "linkedin.com/in/andre\u0301-dupont-1",
        "linkedin.com/in/ANDR%C3%89-Dupont-1/",
        "linkedin.com/in/andr%25C3%25A9-dupont-1",
    ],
)
def test_a9_composed_and_decomposed_letters_are_one_handle(raw: str) -> None:
    assert profiles.read(raw) == "https://www.linkedin.com/in/andr%C3%A9-dupont-1"


@pytest.mark.parametrize(
    ("handle", "encoded"),
    [
        ("maria-🌟-star", "maria-%F0%9F%8C%9F-star"),
        ("maria-%F0%9F%8C%9F-star", "maria-%F0%9F%8C%9F-star"),
        ("🚀", "%F0%9F%9A%80"),
        ("jo-👩\u200d💻", "jo-%F0%9F%91%A9%E2%80%8D%F0%9F%92%BB"),
        ("李小龙", "%E6%9D%8E%E5%B0%8F%E9%BE%99"),
        ("иван-петров", "%D0%B8%D0%B2%D0%B0%D0%BD-%D0%BF%D0%B5%D1%82%D1%80%D0%BE%D0%B2"),
        ("c\u00f4me_d.", "c%C3%B4me_d"),
    ],
)
def test_q2_symbols_in_a_handle_are_encoded_as_browsers_do(handle: str, encoded: str) -> None:
    assert profiles.read(f"https://www.linkedin.com/in/{handle}") == f"https://www.linkedin.com/in/{encoded}"


@pytest.mark.parametrize("shown", ["jane-d...", "jane-d\u2026", "jane-d..", "jane-d%E2%80%A6"])
def test_a_handle_that_was_shortened_for_showing_is_not_known(shown: str) -> None:
    assert profiles.read(f"https://www.linkedin.com/in/{shown}") is None


def test_q2_another_symbol_is_another_profile() -> None:
    assert len({profiles.read(f"linkedin.com/in/maria-{mark}star") for mark in ("🌟-", "", "-", "☀-")}) == 4


@pytest.mark.parametrize("raw", [MEMBER, f"{MEMBER},NAME_SEARCH,abc", f"{MEMBER}/details/skills/"])
def test_member_ids_keep_their_case(raw: str) -> None:
    assert profiles.read(f"https://www.linkedin.com/in/{raw}") == f"https://www.linkedin.com/in/{MEMBER}"


def test_a_member_id_that_lost_its_case_names_nobody() -> None:
    assert profiles.read(f"https://www.linkedin.com/in/{MEMBER.lower()}") is None


@pytest.mark.parametrize(
    "handle",
    [
        *(
            "me",
            "ME",
            "edit",
            "null",
            "undefined",
            "unavailable",
            "username",
            "none",
            "profile",
            "yourname",
            "your-name",
        ),
        *("Your_Name", "nan", "N-A", "unknown", "firstname-lastname", "my-profile"),
        *("public-profile", "-", "--", "xxx"),
        *("%7Bhandle%7D", "[handle]", "<handle>", "$handle", ":id", "jane@acme.example"),
        *("%EF%BF%BD", "andr%E9", "%20"),
    ],
)
@pytest.mark.parametrize("form", ["https://www.linkedin.com/in/{}/", "in/{}", "https://fr.linkedin.com/in/{}?trk=x"])
def test_p5_handles_that_identify_nobody(handle: str, form: str) -> None:
    assert profiles.read(form.format(handle)) is None


@pytest.mark.parametrize("handle", ["meg", "edith", "nullah", "mehmet", "nonedu", "profiler-anna", "me-and-you", "na1"])
def test_p5_handles_that_only_begin_like_them_are_somebodys(handle: str) -> None:
    assert profiles.read(f"linkedin.com/in/{handle}") == f"https://www.linkedin.com/in/{handle}"


@pytest.mark.parametrize(
    "raw",
    [
        *(
            None,
            "",
            " ",
            "jane",
            "Jane Doe",
            "https://www.linkedin.com",
            "https://www.linkedin.com/in",
            "in/",
            "in/a/b",
        ),
        "https://www.linkedin.com/in//",
        "https://www.linkedin.com/pub/jane-doe/12/345/678",
        "https://pl.linkedin.com/company/alpha",
        "https://www.linkedin.com/school/alpha/",
        "https://www.linkedin.com/showcase/alpha/",
        "https://www.linkedin.com/jobs/view/123",
        "https://www.linkedin.com/sales/lead/ACwAABcd,NAME_SEARCH,x",
        "https://www.linkedin.com/sales/people/ACwAABcd,NAME_SEARCH,x",
        "https://www.linkedin.com/talent/profile/AEMAAB",
        "https://www.linkedin.com/feed/update/urn:li:activity:1/",
        "https://www.linkedin.com/posts/jane_activity-1",
        "https://www.linkedin.com/profile/view?id=123",
        "https://www.linkedin.com/search/results/all/?keywords=/in/jane",
        "https://www.linkedin.com/authwall?trk=x",
        "https://www.linkedin.com/login?session_redirect=https%3A%2F%2Fwww.linkedin.com%2Ffeed%2F",
        "https://lnkd.in/abc",
        "https://www.linkedin.com/in/https://www.linkedin.com/company/acme",
        "https://www.linkedin.com/in/https://acme.example",
        "https://www.linkedin.com/in/" * 50,
        "https://www.linkedin.com/in/n/a",
        "https://notlinkedin.com/in/jane",
        "https://linkedin.com.evil.test/in/jane",
        "https://linkedin.com@evil.test/in/jane",
        "https://evil.test/linkedin.com/in/jane",
        "https://example.com/?u=linkedin.com/in/jane",
        "ftp://linkedin.com/in/jane",
        "https://linkedin.com/in/jane doe",
        "linkedin.com/in/jane linkedin.com/in/john",
        "https://[linkedin.com/in/jane",
        "https://www.linkedin.com/in/" + "x" * 200,
    ],
)
def test_what_is_no_profile(raw: str | None) -> None:
    assert profiles.read(raw) is None


@given(st.text() | st.text().map(lambda text: "https://linkedin.com/in/" + text) | st.text().map(lambda t: "in/" + t))
def test_reading_never_fails_and_is_stable(raw: str) -> None:
    found = profiles.read(raw)
    assert found is None or (profiles.read(found) == found and found.isascii())
