"""The control API: see what the vendors hold, count and cost; switch faults; let time pass; be a colleague."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from .clock import SandboxClock
from .faults import KNOWN, Faults
from .hubspot import HubSpot
from .judge import judge_all, total
from .people import FIELDS, STATUSES, Record
from .sales import sales_of
from .salesforce import Salesforce
from .waiting import read_body, read_query
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
        self._salesforce: Salesforce = vendors["salesforce"]
        self._records: dict[str, Sequence[Record]] = {"hubspot": world.records, "salesforce": world.salesforce.records}
        self.app = Starlette(
            routes=[
                Route("/info", self._info),
                Route("/state", self._state),
                Route("/records", self._every_property),
                Route("/calls", self._calls),
                Route("/callbacks", self._callbacks),
                Route("/bill", self._bill),
                Route("/judge", self._judge, methods=["GET", "POST"]),
                Route("/faults", self._set_faults, methods=["GET", "POST"]),
                Route("/clock/skip", self._skip, methods=["POST"]),
                Route("/edit", self._edit, methods=["POST"]),
                Route("/lists", self._lists, methods=["POST"]),
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
                "origin": self._clock.origin,
                "now": self._clock.now(),
                "keys": self._keys(),
                "faults": KNOWN,
            }
        )

    def _keys(self) -> dict[str, Any]:
        org = self._salesforce.keys
        client = {"client_id": org.client_id, "client_secret": org.client_secret, "domain": org.domain}
        providers = {name: self._vendors[name].keys[0] for name in ("zeliq", "fullenrich")}
        return {"hubspot": self._hubspot.token, "salesforce": client, **providers}

    async def _state(self, request: Request) -> Response:
        """How every record of a CRM stands now; `?id=` narrows it to one, `?crm=` is hubspot or salesforce."""
        crm, wanted = self._crm(request.query_params.get("crm")), request.query_params.get("id")
        rows = [
            {
                **asdict(one),
                **{name: sorted(getattr(one, name)) for name in ("refused", "closed", "early")},
                "record": number,
                "quirk": _special(self._records[crm][number]),
            }
            for number, one in self._vendors[crm].endings().items()
            if wanted in {None, one.id}
        ]
        return JSONResponse({"now": self._clock.now(), "contacts": rows})

    async def _every_property(self, request: Request) -> Response:
        """Every property of every person's record of a CRM (`?crm=`) by its id, blanks and deleted records left out."""
        if self._crm(request.query_params.get("crm")) == "salesforce":
            store = self._salesforce.org.store
            rows = [row for kind in ("Contact", "Lead") for row in store.tables[kind].rows.values()]
            return JSONResponse({row.id: dict(row.values) for row in rows if not row.deleted})
        items = self._hubspot.portal.contacts.items.values()
        return JSONResponse({str(item.id): dict(item.values) for item in items if not item.archived})

    def _crm(self, name: object) -> str:
        if name not in {None, *self._records}:
            raise ValueError(f"no such CRM: {name}; there are {', '.join(self._records)}")
        return str(name or "hubspot")

    async def _calls(self, _: Request) -> Response:
        """How often each endpoint of each vendor was called."""
        return JSONResponse({name: dict(vendor.calls) for name, vendor in self._vendors.items()})

    async def _callbacks(self, _: Request) -> Response:
        """Every try of a genuine callback, as it went (`status` is null where nobody answered), and how many callbacks
        were given up."""
        couriers = {name: one.courier for name, one in self._vendors.items() if hasattr(one, "courier")}
        return JSONResponse(
            {
                name: {
                    "tries": [
                        {"at": one.at, "job": one.job, "attempt": one.attempt, "status": one.status}
                        for one in courier.deliveries
                        if not one.forged
                    ],
                    "given_up": len(courier.given_up),
                }
                for name, courier in couriers.items()
            }
        )

    async def _bill(self, _: Request) -> Response:
        """What each provider really billed, in credits, and what it has left."""
        providers = {name: one for name, one in self._vendors.items() if hasattr(one, "billed")}
        return JSONResponse(
            {name: {"billed": str(one.billed), "balance": str(one.balance)} for name, one in providers.items()}
        )

    async def _judge(self, request: Request) -> Response:
        """`?email=zeliq,fullenrich&phone=fullenrich,zeliq&accept=valid`: see `judge`.

        Values that wait for review: `&review=connection/object/id,field`, once for each, or POST {"review": [...]}:
        see `waiting`. `&since=` sandbox seconds at which the run began: earlier purchases do not count; by default all
        do. Totals of all CRMs, and each by itself in `crms`.
        """
        waterfall = {name: _listed(request, name) for name in FIELDS}
        if unknown := {one for vendors in waterfall.values() for one in vendors} - set(self._vendors):
            raise ValueError(f"no such vendor: {', '.join(sorted(unknown))}")
        accept = _listed(request, "accept") or ["valid"]
        if unknown := set(accept) - set(STATUSES):
            raise ValueError(f"no such status: {', '.join(sorted(unknown))}; there are {', '.join(STATUSES)}")
        waiting = [*read_query(request.query_params.getlist("review")), *read_body(await request.body())]
        held = {crm: (self._vendors[crm], records) for crm, records in self._records.items()}
        sales = sales_of(self._vendors, float(request.query_params.get("since", 0)))
        judged = judge_all(self._world, held, waterfall, accept, waiting=waiting, sales=sales)
        crms = {crm: one.as_json() for crm, one in judged.items()}
        return JSONResponse({**total(judged.values()).as_json(), "crms": crms})

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
        """POST {"id": contact, "property": name, "value": text, "when": "now" (default) or "before_write"}.

        With "crm": "salesforce", `property` is a field, and "do" may be "delete", "convert" or "merge" (`into` an id).
        """
        body = await request.json()
        if self._crm(body.get("crm")) == "salesforce":
            return JSONResponse(self._edit_salesforce(body))
        contact, name, value = str(body["id"]), str(body["property"]), str(body.get("value", ""))
        if body.get("when") == "before_write":
            self._hubspot.portal.edit_before_write(contact, name, value)
        else:
            self._hubspot.human_edit(contact, name, value)
        return JSONResponse({"id": contact, "property": name, "value": value})

    async def _lists(self, request: Request) -> Response:
        """POST {"name": text, "members": [contact, …]} makes a HubSpot list; with "id", these are a list's members."""
        body = await request.json()
        lists, now = self._hubspot.lists, self._hubspot.portal.now_ms()
        one = lists.lists[int(body["id"])] if "id" in body else lists.make(str(body.get("name", "")))
        wanted = {int(contact) for contact in body.get("members", ())}
        for contact in one.members.keys() - wanted:
            one.remove(contact, now)
        for contact in sorted(wanted - one.members.keys()):
            one.add(contact, now)
        return JSONResponse({"id": one.id, "members": len(one.members)})

    def _edit_salesforce(self, body: Mapping[str, Any]) -> dict[str, str]:
        org, record, what = self._salesforce.org, str(body["id"]), str(body.get("do", "edit"))
        if what == "convert":
            return {"id": record, "contact": org.convert(record)}
        if what == "delete":
            org.delete(record)
            return {"id": record}
        if what == "merge":
            org.merge(str(body["into"]), record)
            return {"id": record, "into": str(body["into"])}
        if what != "edit":
            raise ValueError(f"nobody can {what} a record")
        name, value = str(body["property"]), str(body.get("value", ""))
        edit = org.edit_before_write if body.get("when") == "before_write" else org.human_edit
        edit(record, name, value)
        return {"id": record, "property": name, "value": value}


def _special(record: Record) -> str | None:
    return record.case or record.quirk or record.trait


def _listed(request: Request, name: str) -> list[str]:
    return [one for one in request.query_params.get(name, "").split(",") if one]


async def _refused(_: Request, problem: Exception) -> Response:
    text = problem.args[0] if isinstance(problem, KeyError) and problem.args else problem
    return JSONResponse({"error": str(text)}, status_code=400)
