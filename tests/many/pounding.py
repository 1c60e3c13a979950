"""One of several processes that do whatever comes to their minds on one ledger; says in the end whom it has asked.

python -m tests.many.pounding URL SEED PASSES FOLDER       the stages, in any order
python -m tests.many.pounding URL SEED claims              claims jobs, and takes them off the queue
"""

from __future__ import annotations

import asyncio
import json
import random
import sys
import time
from collections.abc import Awaitable, Callable
from dataclasses import replace
from decimal import Decimal
from functools import partial
from pathlib import Path

from syncd.config import Budget
from syncd.contract.pacing import Window
from syncd.ledger import arrivals, candidates, claims
from syncd.ledger.claims import Claim, Kind, Owner
from syncd.ledger.place import Url
from syncd.ledger.states import JobState
from syncd.ledger.store import Ledger, Move, Tx
from syncd.pipeline import dispatch, inbox, plan, sweep, verify, work
from syncd.pipeline.parts import Parts
from tests import places
from tests.contract.fake_provider import FakeProvider
from tests.unit.crossing import another
from tests.unit.harness import EMAIL, ONE_BY_ONE, Harness

PEOPLE, CREDITS, CALLS = 120, 100, 110
PAGE = 100
FEW = 3  # in a page, so that processes take turns in the midst of each other's work


def world(url: Url, folder: Path) -> Harness:
    """The same people for each process, who can all be found; a budget and a limit that do not suffice for all."""
    folder.mkdir(parents=True, exist_ok=True)
    places.moved(folder / "ledger.db", url)
    limits = replace(ONE_BY_ONE, windows=(Window(86_400.0, CALLS),), price={EMAIL: Decimal(1)})
    budget = Budget(credits_per_day=Decimal(CREDITS))
    providers = [FakeProvider("ann", capabilities=limits)]
    harness = Harness(folder, providers=providers, fields={EMAIL: ["ann"]}, budget=budget)
    for number in range(PEOPLE):
        harness.finds(harness.person(f"P{number}"), EMAIL, f"p{number}@acme.example.com")
    return harness


def pound(harness: Harness, seed: int, passes: int) -> list[str]:
    """Whom this process has asked about."""
    rng, parts = random.Random(seed), another(harness, number=seed)
    for stage in (dispatch, plan, verify, inbox):
        vars(stage)["PAGE"] = FEW
    answered = set[str]()

    async def answers(_: Parts) -> None:
        for submission in [one for one in harness.fake.accepted.values() if one.id not in answered]:
            answered.add(submission.id)
            await store(submission)

    async def store(submission: object) -> None:
        delivery = harness.fake.delivery(submission)  # type: ignore[arg-type]
        await parts.ledger.write(arrivals.store, "ann", delivery, now=parts.clock.now())

    async def ask(parts: Parts) -> None:
        await dispatch.run_once(parts, "ann")

    stages: list[Callable[[Parts], Awaitable[object]]] = [
        plan.run_once, ask, ask, answers, inbox.run_once, verify.run_once, sweep.run_once, work.run_once,
    ]  # fmt: skip

    async def go() -> None:
        await work.begin(parts)
        for _ in range(passes):
            await rng.choice(stages)(parts)
        await answers(parts)
        await inbox.run_once(parts)
        await verify.run_once(parts)
        await work.end(parts)

    harness.run(go())
    harness.leave()
    return [str(request.ref) for one in harness.fake.submitted for request in one.requests]


def claim_on(url: Url, seed: int) -> tuple[list[int], float, float]:
    """The jobs that this process has claimed and taken off the queue, until it was empty; from when until when
    (monotonic)."""
    owner, ledger, mine = Owner(seed), Ledger.open(url), list[int]()

    def advance(tx: Tx, claim: Claim) -> list[int]:
        """Those of the jobs that were still on the queue: all of them, for they were looked up with the claim."""
        claims.require(tx, claim)
        moved = tx.move_many([Move(id_, JobState.QUEUED, JobState.WAITING) for id_ in claim.items], now=1.0)
        claims.release(tx, claim)
        return sorted(moved)

    async def go() -> tuple[float, float]:
        others = partial(candidates.waiting, sync="people", provider="ann", limit=PAGE)
        began = 0.0
        while await ledger.read(others):
            claim = await ledger.write(claims.take, Kind.JOB, (), owner=owner, now=1.0, otherwise=others)
            mine.extend(await ledger.write(advance, claim))
            began = began or time.monotonic()  # after the first one, which prepares the statements
        return began, time.monotonic()

    began, ended = asyncio.run(go())
    ledger.close()
    return mine, began, ended


if __name__ == "__main__":
    _, told_url, told_seed, *told = sys.argv
    made = None if told[0] == "claims" else world(Url(told_url), Path(told[1]))
    print("ready", flush=True)  # noqa: T201 - to whoever has started this
    sys.stdin.readline()
    done: object = (
        claim_on(Url(told_url), int(told_seed)) if made is None else pound(made, int(told_seed), int(told[0]))
    )
    print(json.dumps(done), flush=True)  # noqa: T201
