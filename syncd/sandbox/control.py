"""The control API: see what the vendors hold, count and cost; switch faults; let time pass; be a colleague."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from .clock import SandboxClock
from .faults import KNOWN, Faults
from .hubspot import HubSpot
from .judge import judge
from .people import FIELDS, STATUSES
from .world import World


class Control:
    """Answers about, and orders to, the vendors it is given."""

    def __init__(
        self,
        world: World,
        clock: SandboxClock,
        faults: Faults,
        vendors: Mapping[str, Any],
        urls: Mapping[str, str],
    ) -> None:
        self._world, self._clock, self._faults = world, clock, faults
        self._vendors, self._urls = vendors, urls
        self._hubspot: HubSpot = vendors["hubspot"]
        self.app = Starlette(
            routes=[
                Route("/info", self._info),
                Route("/state", self._state),
                Route("/calls", self._calls),
                Route("/bill", self._bill),
                Route("/judge", self._judge),
                Route("/faults", self._set_faults, methods=["GET", "POST"]),
                Route("/clock/skip", self._skip, methods=["POST"]),
                Route("/edit", self._edit, methods=["POST"]),
            ],
            exception_handlers={ValueError: _refused, KeyError: _refused},
        )

    async def _info(self, _: Request) -> Response:
        """Where everything is and what opens it."""
        return JSONResponse(
            {
                "urls": self._urls,
                "seed": self._world.seed,
                "contacts": len(self._world.records),
                "speed": self._clock.speed,
                "now": self._clock.now(),
                "keys": {"hubspot": self._hubspot.token, **self._keys()},
                "faults": KNOWN,
            }
        )

    def _keys(self) -> dict[str, str]:
        return {name: one.keys[0] for name, one in self._vendors.items() if hasattr(one, "keys")}

    async def _state(self, request: Request) -> Response:
        """How every record stands now; `?id=` narrows it to one contact."""
        wanted = request.query_params.get("id")
        endings = self._hubspot.endings().items()
        rows = [
            {
                **asdict(one),
                "refused": sorted(one.refused),
                "record": number,
                "quirk": self._world.records[number].quirk,
            }
            for number, one in endings
            if wanted in {None, one.id}
        ]
        return JSONResponse({"now": self._clock.now(), "contacts": rows})

    async def _calls(self, _: Request) -> Response:
        """How often each endpoint of each vendor was called."""
        return JSONResponse({name: dict(vendor.calls) for name, vendor in self._vendors.items()})

    async def _bill(self, _: Request) -> Response:
        """What each provider really billed, in credits, and what it has left."""
        providers = {name: one for name, one in self._vendors.items() if hasattr(one, "billed")}
        return JSONResponse(
            {name: {"billed": str(one.billed), "balance": str(one.balance)} for name, one in providers.items()}
        )

    async def _judge(self, request: Request) -> Response:
        """`?email=zeliq,fullenrich&phone=fullenrich,zeliq&accept=valid`: see `judge`."""
        waterfall = {name: _listed(request, name) for name in FIELDS}
        if unknown := {one for vendors in waterfall.values() for one in vendors} - set(self._vendors):
            raise ValueError(f"no such vendor: {', '.join(sorted(unknown))}")
        accept = _listed(request, "accept") or ["valid"]
        if unknown := set(accept) - set(STATUSES):
            raise ValueError(f"no such status: {', '.join(sorted(unknown))}; there are {', '.join(STATUSES)}")
        return JSONResponse(judge(self._world, self._hubspot, waterfall, accept).as_json())

    async def _set_faults(self, request: Request) -> Response:
        """POST {"add": ["name:count:parameter"], "clear": ["name"] or true}; answers what is on and what struck."""
        if request.method == "POST":
            body = await request.json()
            if body.get("clear") is True:
                self._faults.clear()
            for name in body.get("clear") or () if body.get("clear") is not True else ():
                self._faults.clear(str(name))
            for spec in body.get("add") or ():
                self._faults.add(str(spec))
        return JSONResponse({"active": self._faults.active(), "struck": dict(self._faults.taken)})

    async def _skip(self, request: Request) -> Response:
        """POST {"seconds": n}."""
        self._clock.skip(float((await request.json())["seconds"]))
        return JSONResponse({"now": self._clock.now()})

    async def _edit(self, request: Request) -> Response:
        """POST {"id": contact, "property": name, "value": text, "when": "now" (default) or "before_write"}."""
        body = await request.json()
        contact, name, value = str(body["id"]), str(body["property"]), str(body.get("value", ""))
        if body.get("when") == "before_write":
            self._hubspot.portal.edit_before_write(contact, name, value)
        else:
            self._hubspot.human_edit(contact, name, value)
        return JSONResponse({"id": contact, "property": name, "value": value})


def _listed(request: Request, name: str) -> list[str]:
    return [one for one in request.query_params.get(name, "").split(",") if one]


async def _refused(_: Request, problem: Exception) -> Response:
    text = problem.args[0] if isinstance(problem, KeyError) and problem.args else problem
    return JSONResponse({"error": str(text)}, status_code=400)
