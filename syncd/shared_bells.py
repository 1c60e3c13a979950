"""Bells that ring in one of several workers on a database, by procrastinate. Beside `schedule`, which imports it.

Every few seconds, one of the workers is given a beat, and finds out what is to be rung. It is a hint: a beat that is
lost, or told twice, costs nothing but time, for each worker also looks by itself now and then, and claims decide who
works. Therefore a beat has a queueing lock and no lock of its own, which would outlast a worker that was killed.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from importlib.metadata import version

import procrastinate
import psycopg
import structlog
from procrastinate.exceptions import ConnectorException, ProcrastinateException
from procrastinate.jobs import Status
from procrastinate.schema import SchemaManager
from psycopg import sql

from syncd.ledger.place import Url
from syncd.ledger.sessions import to_primary

AGAIN = 5.0  # seconds after which an engine that has failed is started again
_MAKING = "SELECT pg_advisory_xact_lock(1398361671, hashtext(current_schema()))"  # by one process at a time

log = structlog.get_logger("syncd.daemon")


async def ring(place: Url, every: int, beat: Callable[[], object]) -> None:
    """Call `beat` for each beat that this process is given, until cancelled. `every`: seconds, a divisor of 60."""
    logging.getLogger("procrastinate").setLevel(logging.CRITICAL)  # an outage is told here, and once
    logging.getLogger("psycopg.pool").setLevel(logging.CRITICAL)
    told = False

    def given() -> None:
        nonlocal told
        told = False
        beat()

    while True:
        try:
            await _work(_app(place, await _made(place), every, given))
        except (ProcrastinateException, psycopg.Error, OSError) as error:
            if not told:
                log.warning("shared_bells_silent", why=str(error).partition("\n")[0])
            told = True
            await asyncio.sleep(AGAIN)


async def _work(app: procrastinate.App) -> None:
    async with app.open_async():
        await _clear_away(app)
        await app.run_worker_async(
            queues=["bells"], install_signal_handlers=False, delete_jobs="always", shutdown_graceful_timeout=1.0
        )
    raise ProcrastinateException("a part of it has failed")  # it does not end by itself otherwise


async def _clear_away(app: procrastinate.App) -> None:
    """The beats of workers that were killed within them: nobody else ends these rows."""
    for beaten in await app.job_manager.get_stalled_jobs(queue="bells"):
        try:
            await app.job_manager.finish_job(beaten, Status.FAILED, delete_job=True)
        except ConnectorException as error:  # another process that has just started was the first to do so, perhaps
            log.debug("beat_not_cleared_away", job=beaten.id, why=str(error))


def _app(place: Url, schema: str, every: int, beat: Callable[[], object]) -> procrastinate.App:
    async def configure(connection: psycopg.AsyncConnection[tuple[object, ...]]) -> None:
        await connection.execute(sql.SQL("SET search_path TO {}").format(sql.Identifier(schema)))
        await connection.commit()

    connector = procrastinate.PsycopgConnector(
        conninfo=to_primary(place.text), configure=configure, min_size=1, max_size=2, timeout=10.0
    )
    app = procrastinate.App(connector=connector, periodic_defaults={"max_delay": 2 * every})

    @app.periodic(cron=f"* * * * * */{every}")
    @app.task(name="beat", queue="bells", queueing_lock="beat")
    async def beaten(timestamp: int) -> None:
        beat()

    return app


async def _made(place: Url) -> str:
    """The schema of its tables, beside the ledger's. Each version of it has its own: nothing in there is to be kept."""
    async with await psycopg.AsyncConnection.connect(to_primary(place.text)) as connection:
        await connection.execute(_MAKING)
        found = await (await connection.execute("SELECT current_schema()")).fetchone()
        name = f"{found[0] if found else 'public'}_bells_{version('procrastinate')}"
        known = await connection.execute("SELECT to_regnamespace(quote_ident(%s))", (name,))
        if (await known.fetchone() or (None,))[0] is None:
            await connection.execute(sql.SQL("CREATE SCHEMA {}").format(sql.Identifier(name)))
            await connection.execute(sql.SQL("SET LOCAL search_path TO {}").format(sql.Identifier(name)))
            await connection.execute(SchemaManager.get_schema())
    return name
