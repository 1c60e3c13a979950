"""The README's picture of a terminal is what the commands say today: made again, and compared word by word."""

from __future__ import annotations

import html
import re

from scripts import tour


def words(svg: str) -> list[str]:
    """The lines of the picture, top to bottom, each number as # and each stretch of blanks as one."""
    lines: dict[float, list[tuple[float, str]]] = {}
    for x, y, text in re.findall(r'<text [^>]*x="([\d.]+)" y="([\d.]+)"[^>]*>([^<]*)</text>', svg):
        lines.setdefault(float(y), []).append((float(x), html.unescape(text)))
    told = (" ".join(text for _, text in sorted(lines[y])) for y in sorted(lines))
    plain = (re.sub(r"[\d,.]*\d", "#", line).replace("\xa0", " ") for line in told)
    return [shown for line in plain if (shown := " ".join(re.sub(r"[█░]+", "", line).split()))]


def test_the_picture_shows_what_the_commands_say() -> None:
    kept = tour.PICTURE.read_text("utf-8")
    assert words(kept) == words(tour.drawn()), "make it again: python -m scripts.tour"


def test_the_picture_stands_alone_and_says_what_it_is() -> None:
    kept = tour.PICTURE.read_text("utf-8")
    assert f'<title id="tour-title">{tour.TITLE}</title>' in kept
    assert "@font-face" not in kept
    assert not re.search(r'(?:href|src|url)\s*[=(]\s*"?https?:', kept)
    shown = words(kept)
    for command in ("syncd init", "syncd plan", "syncd run --once", "syncd status --watch"):
        assert any(line.startswith(f"$ {command}") for line in shown), command
    assert any(line.startswith("q quit p pause") for line in shown)
