"""The configuration as it was read: each value with its file and line, secrets masked."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response

from syncd.pages.site import Site

Row = tuple[int, str, str]  # line, key, value


async def settings(site: Site, request: Request) -> Response:
    """`/settings`"""
    places = site.parts.settings.places
    sections: dict[str, list[Row]] = {}
    for where, text in sorted(places.written.items(), key=lambda one: places.lines.get(one[0], 0)):
        row = places.lines.get(where, 0), _spelled(where), text
        sections.setdefault(str(where[0]), []).append(row)
    warnings = site.parts.settings.warnings
    return await site.page(request, "settings.html", file=places.file, sections=sections, warnings=warnings)


def _spelled(where: tuple[str | int, ...]) -> str:
    return "".join(f"[{one}]" if isinstance(one, int) else f".{one}" for one in where).lstrip(".")
