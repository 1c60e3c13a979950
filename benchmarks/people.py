"""What recognising people costs: CPU for each of 100,000 pulled contacts, and the memory that its lists take."""

from __future__ import annotations

import json
import random
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from syncd.people import groups
from syncd.people.groups import Record
from syncd.people.identity import Identity

from .bars import Value

CONTACTS = 100_000
EMPLOYERS = 20_011  # in strict rotation, so that nothing that is remembered of one serves the next contact
_FIRST, _START, _END, _BRAND, _TRADE = (
    line.split()
    for line in (
        "Anna Béla Chloé Dmitri Élise Fatima Göran Hugo Inès Jean-Luc Karin Liu Mary Nora Omar Paul Rosa Tom",
        "Ber Han Kow Mül Lar Mar Nor Ols Pet Ros San Tor Van Wal Zim Bau Cor Dur Fis Gar Hol Ive Jan Kel Lin",
        "ger sen alski ler sson tin dahl en erson si tos res denberg lace mer er te and her cia mes rs ssen dt",
        "Norvik Alder Birch Quanta Helio Prisma Verdant Ostara Lumen Kestrel Marlow Tessel Umbra Vektor",
        "Tools Foods Metall Logistics Software Conseil Energy Textil Pharma Bau Media Systems",
    )
)
_RARE = ("O'Brien", "García López", "van den Berg", "de la Cruz", "Øst", "Smith Jr.", "Al-Sayed", "Nguyễn")
_FORM = (" Ltd", " GmbH", " SAS", ", Inc.", "", "", " AB", " S.p.A.")


def records(seed: int, count: int = CONTACTS) -> list[Record]:
    """Made-up contacts of two CRMs: most are alone, some stand twice, some share a mailbox, many have no profile."""
    rng = random.Random(seed)
    made = [_record(rng, number) for number in range(count)]
    for number in rng.sample(range(count), count // 20):  # the same person in the other CRM
        other = made[rng.randrange(count)]
        made[number] = Record(number, "salesforce" if other.crm == "hubspot" else "hubspot", other.identity)
    return made


def _record(rng: random.Random, number: int) -> Record:
    first, company = rng.choice(_FIRST), number % EMPLOYERS
    last = rng.choice(_RARE) if rng.random() < 0.15 else rng.choice(_START) + rng.choice(_END)
    named = random.Random(company)
    name = f"{named.choice(_BRAND)} {named.choice(_TRADE)} {company}{named.choice(_FORM)}"
    domain = f"brand{company}.example"
    identity = Identity(
        first_name=first,
        last_name=last,
        company=name if rng.random() < 0.8 else None,
        domain=domain if rng.random() < 0.7 else None,
        linkedin_url=f"https://www.linkedin.com/in/person-{number}" if rng.random() < 0.5 else None,
        email=f"info@{domain}" if rng.random() < 0.02 else f"person{number}@{domain}",
        country=rng.choice(("France", "DE", "United Kingdom", "USA")),
        phones=(f"+3363998{number % 10_000:04}",) if rng.random() < 0.3 else (),
    )
    return Record(number, rng.choice(("hubspot", "salesforce")), identity)


def cpu(seed: int) -> float:
    """µs of CPU for each contact, with everything that is cached still to be read."""
    made = records(seed)
    started = time.process_time()
    groups.group(made)
    return (time.process_time() - started) / len(made) * 1e6


def memory() -> float:
    """MB that a process grows by when everything of `syncd.people` is loaded and used for a thousand contacts."""
    import phonenumbers  # noqa: F401, PLC0415 - the daemon has these already
    from email_validator import validate_email  # noqa: F401, PLC0415

    before = _resident()
    from syncd.people import countries, emails, employers, names, phones  # noqa: PLC0415

    groups.group(records(1, 1_000))
    countries.code("Allemagne")
    emails.read("ada@acme.example")
    employers.domain("acme.co.uk")
    phones.read("+33639980012")
    names.compare(names.Name(first="Bob", last="Stone"), names.Name(first="Robert", last="Stone"))
    return _resident() - before


def _resident() -> float:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * 4096 / 1e6


def measure(rounds: int, say: Callable[[str], None]) -> dict[str, Value]:
    """Both figures, each in processes of their own."""
    say(f"people: {rounds} processes for {CONTACTS:,} contacts each, and as many for the memory")
    spent, grown = [_run(str(seed)) for seed in range(rounds)], [_run("memory") for _ in range(rounds)]
    return {"cpu": Value(statistics.median(spent)), "memory": Value(statistics.median(grown))}


def _run(what: str) -> float:
    command = [sys.executable, "-m", "benchmarks.people", what]
    return float(json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout))


if __name__ == "__main__":
    print(json.dumps(memory() if sys.argv[1] == "memory" else cpu(int(sys.argv[1]))))
