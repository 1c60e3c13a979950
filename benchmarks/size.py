"""Does it matter how much the ledger holds? The same operations at 100,000 contacts and at a million, as ratios.

CPU of this process in each operation, medians of several rounds in turn; of a start, the daemon's until its listener is
open; and the seconds until it has acknowledged a first callback. The ledgers are copies of what a real daemon left.
"""

from __future__ import annotations

import asyncio
import itertools
import random
import shutil
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median

from syncd.contract.model import Contact, ContactRef, Delivery, Field, Identity, Page, Source
from syncd.ledger import arrivals, candidates, cases, contacts, reports
from syncd.ledger.store import Ledger, Tx

from .acks import genuine_callback, pour
from .bars import Value
from .copies import STEP, multiply
from .portal import EMPLOYERS
from .processes import Daemon, Vendors, configuration, until
from .providers import answer_about
from .shapes import Say

TEMPLATE, BOUGHT = 1_000, 900  # contacts that a daemon leaves behind; how many of them it has bought for
COPIES = {"small": 100, "large": 1_000}
ROUNDS, STARTS = 9, 3
PAGE = 200
CREDITS = 11  # of an e-mail and a phone

OBJECT, SYNC, CRM, PROVIDER = "contacts", "bench", "crm", "fullenrich"  # as in the configuration

Operation = Callable[[Tx, random.Random, int], object]  # the last one: how many copies the ledger has


def measure(say: Say) -> dict[str, Value]:
    """All figures."""
    with tempfile.TemporaryDirectory(prefix="syncd-bench-") as top:
        small = template(Path(top))
        folders = {name: Path(top, name) for name in COPIES}
        for name, copies in COPIES.items():
            folders[name].mkdir()
            began = time.monotonic()
            multiply(small, folders[name] / "ledger.db", copies)
            say(f"size: {copies * TEMPLATE:,} contacts in {time.monotonic() - began:.0f} s")
        figures = _operations({name: folder / "ledger.db" for name, folder in folders.items()})
        say("size: starts")
        return figures | _starts(folders)


def template(folder: Path) -> Path:
    """The ledger of a daemon that has bought for most of a thousand contacts when its budget was spent."""
    with Vendors(TEMPLATE, speed=20.0) as vendors:
        budget = {"credits_per_day": CREDITS * BOUGHT}
        with Daemon(configuration(vendors, each=False, buy_before_write=0, budget=budget)) as daemon:
            until("a ledger to copy", lambda: vendors.counts()["values"] >= 2 * BOUGHT)
            time.sleep(1.0)  # what was written last is read once more
            daemon.end()
            shutil.copy(daemon.ledger, folder / "template.db")
    return folder / "template.db"


# --- operations -----------------------------------------------------------------------------------


def _numbers(rng: random.Random, copies: int) -> list[int]:
    """The CRM's ids of a page of contacts from all over the ledger."""
    return [rng.randint(1, TEMPLATE) + STEP * rng.randrange(copies) for _ in range(PAGE)]


def _store(tx: Tx, numbers: list[int], country: str = "France") -> None:
    page = Page(contacts=tuple(_contact(number, country) for number in dict.fromkeys(numbers)), cursor={"at": 1})
    contacts.store_page(tx, SYNC, 1, page, (Field.EMAIL, Field.PHONE), now=time.time())


def _contact(number: int, country: str) -> Contact:
    identity = Identity(
        first_name=f"Nora{number}",
        last_name=f"Lind{number}",
        domain=f"firm{number % EMPLOYERS}.example",
        linkedin_url=f"https://www.linkedin.com/in/nora-lind-{number}",
        country=country,
    )
    return Contact(ref=ContactRef(connection=CRM, object=OBJECT, id=str(number)), revision="1", identity=identity)


def _deliver(tx: Tx, rng: random.Random, _: int) -> None:
    for _ in range(50):
        post = answer_about(rng.randrange(10**9), "http://127.0.0.1/")
        delivery = Delivery(submission_id=f"{rng.getrandbits(48):012x}", source=Source.CALLBACK, body=post.body)
        arrivals.store(tx, PROVIDER, delivery, now=time.time())


def _decide(tx: Tx, rng: random.Random, copies: int) -> None:
    cases.read(tx, [rng.randint(1, TEMPLATE) + STEP * rng.randrange(copies) for _ in range(PAGE)], contacts.Rules())


OPERATIONS: dict[str, Operation] = {
    "upsert": lambda tx, rng, copies: _store(tx, _numbers(rng, copies)),
    "change": lambda tx, rng, copies: _store(tx, _numbers(rng, copies), f"France {rng.random()}"),
    "claim": lambda tx, _, __: candidates.candidates(tx, SYNC, PROVIDER, candidates.waiting(tx, SYNC, PROVIDER, PAGE)),
    "decide": _decide,
    "deliver": _deliver,
    "status": lambda tx, _, __: [reports.status(tx) for _ in range(10)],
    "moving": lambda tx, _, __: reports.moving(tx),
}


def _operations(paths: dict[str, Path]) -> dict[str, Value]:
    """ms of CPU at both sizes, in turn, and their ratio. What is unchanged was stored alike just before."""
    ledgers = {name: Ledger.open(path) for name, path in paths.items()}
    spent: dict[str, dict[str, list[float]]] = {key: {name: [] for name in COPIES} for key in OPERATIONS}
    try:
        for number, key in itertools.product(range(ROUNDS), OPERATIONS):
            for name, ledger in ledgers.items():
                if key == "upsert":
                    _timed(ledger, key, number, COPIES[name])
                spent[key][name].append(_timed(ledger, key, number, COPIES[name]))
    finally:
        for ledger in ledgers.values():
            ledger.close()
    found = {key: [median(times[name]) for name in ("large", "small")] for key, times in spent.items()}
    ratios = {key: Value(large / small, large, small) for key, (large, small) in found.items()}
    return ratios | {"page": Value(found["upsert"][1])}


def _timed(ledger: Ledger, key: str, number: int, copies: int) -> float:
    """ms of CPU of one operation."""
    rng = random.Random(f"{key} {number}")
    began = time.process_time()
    asyncio.run(ledger.write(OPERATIONS[key], rng, copies))
    return 1000 * (time.process_time() - began)


# --- starts ---------------------------------------------------------------------------------------


def _starts(folders: dict[str, Path]) -> dict[str, Value]:
    """CPU until the listener is open, and seconds until a callback was acknowledged."""
    cpu: dict[str, list[float]] = {name: [] for name in folders}
    acknowledged: dict[str, list[float]] = {name: [] for name in folders}
    with Vendors(0) as vendors:
        for _ in range(STARTS):
            for name, folder in folders.items():
                began = time.monotonic()
                with Daemon(configuration(vendors, budget={"credits_per_day": 1}), folder) as daemon:
                    daemon.wait_for_listener()
                    cpu[name].append(daemon.cpu)
                    asyncio.run(_first_callback(daemon))
                    acknowledged[name].append(time.monotonic() - began)
    large, small = median(cpu["large"]), median(cpu["small"])
    seconds = median(acknowledged["large"])
    return {"start": Value(large / small, large, small), "first_callback": Value(seconds)}


async def _first_callback(daemon: Daemon) -> None:
    """Returns once it is acknowledged."""
    await pour([genuine_callback(daemon.public, 1)])
