"""Clients that never come to the point, thousands of them, from a process of their own.

    python -m tests.faults.attackers < wish.json     until its standard input ends; prints what became of them as JSON

Each opens a connection, is slow in one of five ways, and opens another as soon as it is let go.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import resource
import subprocess
import sys
from collections import Counter, defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from .client import target
from .gauges import percentile
from .process import ROOT, environment

STAGES = ("says nothing", "half a request line", "drips a header", "drips a body", "announces a body")
_HEAD = b"POST /callbacks/zeliq HTTP/1.1\r\nhost: x\r\n"
_PATIENCE = 60.0  # seconds until one counts as never let go


@contextmanager
def attack(port: int, url: str, number: int, into: dict[str, Any]) -> Iterator[None]:
    """So many at once, for as long as the block runs; then `into` says what became of them."""
    wish = json.dumps({"port": port, "target": target(url), "number": number}) + "\n"
    command = [sys.executable, "-m", "tests.faults.attackers"]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, cwd=ROOT, env=environment(), stdin=pipe, stdout=pipe, text=True) as process:
        try:
            assert process.stdin is not None
            assert process.stdout is not None
            process.stdin.write(wish)
            process.stdin.flush()
            assert process.stdout.readline() == "all there\n"
            yield
            said, _ = process.communicate(timeout=2 * _PATIENCE)
            into.update(json.loads(said))
        finally:
            process.kill()


class _Attack:
    def __init__(self, wish: dict[str, Any]) -> None:
        self.port, self.number = wish["port"], wish["number"]
        whole = f"POST {wish['target']} HTTP/1.1\r\nhost: x\r\ncontent-length: 1000\r\n\r\n".encode()
        self.says = dict(zip(STAGES, (b"", b"POST /callb", _HEAD + b"x-slow: ", whole, whole), strict=True))
        self.over = asyncio.Event()
        self.opened = 0
        self.lasted: dict[str, list[float]] = defaultdict(list)
        self.answers: Counter[str] = Counter()

    async def run(self) -> None:
        """Until standard input ends, and each has been let go."""
        told = asyncio.get_running_loop().run_in_executor(None, sys.stdin.readline)
        async with asyncio.TaskGroup() as attackers:
            for number in range(self.number):
                attackers.create_task(self._attacker(STAGES[number % len(STAGES)]))
            while self.opened < self.number:
                await asyncio.sleep(0.05)
            sys.stdout.write("all there\n")
            sys.stdout.flush()
            await told
            self.over.set()

    async def _attacker(self, stage: str) -> None:
        loop = asyncio.get_running_loop()
        while not self.over.is_set():
            reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
            self.opened += 1
            started = loop.time()
            dripping = asyncio.create_task(self._speak(writer, stage))
            try:
                answer = await asyncio.wait_for(reader.read(), _PATIENCE)
            except ConnectionError:
                answer = b""
            except TimeoutError:
                answer = b"? never"
            dripping.cancel()
            self.lasted[stage].append(loop.time() - started)
            self.answers[f"{stage}: {answer.split(b' ')[1].decode() if answer else 'closed'}"] += 1
            writer.close()

    async def _speak(self, writer: asyncio.StreamWriter, stage: str) -> None:
        with contextlib.suppress(ConnectionError):
            writer.write(self.says[stage])
            while stage.startswith("drips"):
                await asyncio.sleep(1.0)
                writer.write(b"x")
                await writer.drain()

    def told(self) -> dict[str, Any]:
        """What became of them, in seconds."""
        lasted = {stage: [round(percentile(some, 0.5), 1), round(max(some), 1)] for stage, some in self.lasted.items()}
        return {
            "connections": self.opened,
            "lasted (p50, longest)": lasted,
            "answers": dict(sorted(self.answers.items())),
        }


async def _main() -> dict[str, Any]:
    attack_ = _Attack(json.loads(sys.stdin.readline()))
    await attack_.run()
    return attack_.told()


if __name__ == "__main__":
    resource.setrlimit(resource.RLIMIT_NOFILE, (resource.getrlimit(resource.RLIMIT_NOFILE)[1],) * 2)
    sys.stdout.write(json.dumps(asyncio.run(_main())))
