"""The pages of docs/reference that are written from the code: `make docs-ref` (python -m scripts.reference).

With `--check` nothing is written: exit 1 if a page differs from what the code says.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import typer

from syncd import codes
from syncd.cli import COMMANDS, app, registered
from syncd.cli.manual import EXIT_STATUS
from syncd.config import json_schema
from syncd.config.scalars import DURATION_SCHEMA, LISTEN_SCHEMA, SIZE_SCHEMA
from syncd.registry import Registry
from syncd.words import REASONS, STANDINGS, STATES, Word

FOLDER = Path(__file__).parents[1] / "docs" / "reference"
WRITTEN = "<!-- Written from the code by `make docs-ref`: change it there. -->\n\n"
FORMS = {DURATION_SCHEMA["pattern"]: "duration", SIZE_SCHEMA["pattern"]: "size", LISTEN_SCHEMA["pattern"]: "host:port"}
UNNAMED = {"ConnectionSection": "connections.NAME", "SyncSection": "syncs[]"}  # sections that people name themselves


SO_LONG = "`syncd status`, the first page, `/readyz` and `/api/status` show it until it is over"
# Title, codes, what they are about, and where they are shown.
FAMILIES: tuple[tuple[str, Mapping[str, codes.Code], str, str], ...] = (
    (
        "Connections",
        codes.CONNECTIONS,
        "what `syncd check` finds, and why a connection is halted",
        f"`syncd check` and `syncd doctor` show it in brackets. Where it halts a connection, {SO_LONG}.",
    ),
    ("The gate", codes.GATES, "why nothing is bought", f"{SO_LONG}."),
    (
        "Conditions",
        codes.CONDITIONS,
        "what is wrong now, or wants a person; `alerts.on` takes these with `_` for `-`",
        f"{SO_LONG}. Whoever is named in `alerts` is told.",
    ),
    (
        "Commands",
        codes.ENDINGS,
        "how a command or the daemon ends",
        "The last line of the command, `see …`, leads to it; scripts know it by the exit code. The log has it, too.",
    ),
    (
        "This host",
        codes.HOST,
        "what `syncd doctor` and `syncd check` find",
        "`syncd doctor` and `syncd check` show it in brackets.",
    ),
)


def pages() -> dict[str, str]:
    """Each page by its file's name."""
    made: dict[str, Iterator[str]] = {
        "commands.md": commands(),
        "configuration.md": configuration(),
        "states.md": states(),
        "errors.md": errors(),
    }
    made |= {f"errors/{code}.md": lines for code, lines in error_pages()}
    return {name: WRITTEN + "\n".join(lines).rstrip() + "\n" for name, lines in made.items()}


def table(heads: tuple[str, ...], rows: Iterator[tuple[str, ...]]) -> Iterator[str]:
    """A table of Markdown; a bar within a cell does not end it."""
    yield f"| {' | '.join(heads)} |"
    yield "|" + "---|" * len(heads)
    for row in rows:
        yield f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in row)} |"
    yield ""


# --- commands ---------------------------------------------------------------------------------


def commands() -> Iterator[str]:
    """Every command with its options, and the exit codes."""
    yield from (
        "# Commands",
        "",
        "All of them take `-h` and `--help`; each has its manual page (`man syncd-retry`).",
        "",
    )
    yield from table(
        ("command", "does"), ((f"[`{name}`](#syncd-{name})", said) for name, (_, said) in COMMANDS.items())
    )
    root: Any = typer.main.get_command(app)
    yield from _options(root, typer.Context(root, info_name="syncd"))
    for name, (module, _) in COMMANDS.items():
        yield from _command(f"syncd {name}", registered(module)[name])
    yield from ("## Exit codes", "")
    yield from table(("code", "means"), ((str(code), means) for code, means in EXIT_STATUS.items()))


def _command(name: str, command: Any) -> Iterator[str]:
    context = typer.Context(command, info_name=name)
    inner = getattr(command, "commands", {})
    yield from (f"## {name}" if name.count(" ") == 1 else f"### {name}", "")
    if not inner:
        yield from ("```text", " ".join([name, *command.collect_usage_pieces(context)]), "```", "")
    yield from _paragraphs(command.help or "")
    yield from _options(command, context)
    for one in inner.values():
        yield from _command(f"{name} {one.name}", one)


def _paragraphs(text: str) -> Iterator[str]:
    """The help of a command: what begins with \\b stands as it is written."""
    for part in re.split(r"\n\s*\n", text.strip()):
        lines = part.split("\n")
        if lines[0].strip() != "\b":
            yield from (" ".join(part.split()), "")
            continue
        title, *rest = lines[1:]
        yield from ([title.strip(), ""] if title.rstrip().endswith(":") else [])
        yield from ("```text", *(line.strip() for line in rest or [title]), "```", "")


def _options(command: Any, context: Any) -> Iterator[str]:
    rows = [one.get_help_record(context) for one in command.get_params(context)]
    found = [(f"`{names}`", " ".join(said.split())) for names, said in filter(None, rows) if "--help" not in names]
    if found:
        yield from table(("option", "means"), iter(found))


# --- configuration ----------------------------------------------------------------------------


def configuration() -> Iterator[str]:
    """Every key, section by section, from the JSON Schema."""
    registry = Registry()
    schema = json_schema([registry.kind(name) for name in registry.names()])
    yield from ("# Configuration", "")
    yield "`config.example.yaml` shows every key once, commented; `syncd config schema` prints what this page is made"
    yield "from, for editors. Durations are written as 90s, 15m, 2h30m, 30d, sizes as 256MiB. A secret is a text with"
    yield '`"${NAME}"`, `{ file: PATH }` or `{ credential: NAME }`. Unknown keys are errors; `syncd check` says each'
    yield "problem with its line."
    yield ""
    yield from _section("The file", schema["properties"], schema)
    seen: set[str] = set()
    for key, value in schema["properties"].items():
        yield from _sections_of(key, value, schema, seen)
    for case in schema["$defs"]["ConnectionSection"].get("allOf", ()):
        yield from _connector(case, schema)


def _connector(case: Mapping[str, Any], schema: Mapping[str, Any]) -> Iterator[str]:
    name = case["if"]["properties"]["connector"]["const"]
    shared = schema["$defs"]["ConnectionSection"]["properties"]
    own = {key: one for key, one in case["then"]["properties"].items() if key not in shared}
    yield from _section(f"connections.NAME with connector: {name}", own, schema)


def _sections_of(path: str, value: Mapping[str, Any], schema: Mapping[str, Any], seen: set[str]) -> Iterator[str]:
    """The sections that a key leads to, each once."""
    for name, where in _leads_to(value, path):
        part = schema["$defs"][name]
        if name in seen or "properties" not in part:
            continue
        seen.add(name)
        yield from _section(UNNAMED.get(name, where), part["properties"], schema)
        for key, inner in part["properties"].items():
            yield from _sections_of(f"{UNNAMED.get(name, where)}.{key}", inner, schema, seen)


def _leads_to(value: Any, where: str) -> Iterator[tuple[str, str]]:
    if "$ref" in value:
        yield value["$ref"].rpartition("/")[2], where
    for one in value.get("anyOf", ()):
        yield from _leads_to(one, where)
    if isinstance(value.get("items"), dict):
        yield from _leads_to(value["items"], f"{where}[]")
    if isinstance(value.get("additionalProperties"), dict):
        yield from _leads_to(value["additionalProperties"], f"{where}.NAME")


def _section(title: str, properties: Mapping[str, Any], schema: Mapping[str, Any]) -> Iterator[str]:
    yield from (f"## {title}", "")
    rows = (
        (f"`{key}`", _type(one, schema), _default(one), one.get("description", "")) for key, one in properties.items()
    )
    yield from table(("key", "is", "default", "means"), rows)


def _type(value: Mapping[str, Any], schema: Mapping[str, Any]) -> str:
    """What may stand there, in words."""
    if "$ref" in value:
        part = schema["$defs"][value["$ref"].rpartition("/")[2]]
        return "section" if "properties" in part else _type(part, schema)
    if words := value.get("enum") or [value[key] for key in ("const",) if key in value]:
        return ", ".join(f"`{one}`" for one in words)
    if parts := value.get("anyOf"):
        kinds = [_type(one, schema) for one in parts if one.get("type") != "null" and not _is_reference(one)]
        return " or ".join(dict.fromkeys(kinds))
    return _plain_type(value, schema)


def _plain_type(value: Mapping[str, Any], schema: Mapping[str, Any]) -> str:
    if value.get("pattern") in FORMS:
        return FORMS[value["pattern"]]
    inner = value.get("additionalProperties")
    match value.get("type"):
        case "array":
            return f"list of {_type(value.get('items', {}), schema)}"
        case "object":
            return f"names, each with {_type(inner, schema)}" if isinstance(inner, dict) else "section"
        case kind:
            return {"boolean": "true or false", "string": "text", None: "any value"}.get(kind, str(kind))


def _is_reference(value: Mapping[str, Any]) -> bool:
    """`{file: …}` or `{credential: …}`, which every secret may be."""
    return value.get("required") in (["file"], ["credential"])


def _default(value: Mapping[str, Any]) -> str:
    default = value.get("default")
    if default is None or default == []:
        return ""
    written = {True: "true", False: "false"}.get(default, default) if isinstance(default, bool) else default
    return f"`{', '.join(map(str, written))}`" if isinstance(written, list) else f"`{written}`"


# --- states, errors ---------------------------------------------------------------------------


def states() -> Iterator[str]:
    """One table for each kind of state."""
    yield from ("# States and reasons", "")
    yield "A job is one field of one contact. The same words and signs stand in the commands, on the pages and in the"
    yield "API (`GET /api/words`); the name is what scripts, metrics and filters (`state:`, `reason:`) use."
    yield "Of a sync, the metric `syncd_sync_state` has the word."
    yield ""
    tables: tuple[tuple[str, Mapping[Any, Word]], ...] = (
        ("How a sync is doing", STANDINGS),
        ("Where a job stands", STATES),
        ("Why a job is done", REASONS),
    )
    for title, words in tables:
        yield from (f"## {title}", "")
        rows = ((one.sign, one.word, f"`{name.value}`", one.meaning) for name, one in words.items())
        yield from table(("sign", "word", "name", "means"), rows)


def errors() -> Iterator[str]:
    """Every code with its anchor."""
    yield from ("# Errors", "")
    yield "Commands show the code of an error in brackets, or in a line `see …` below it; the log, `/readyz`,"
    yield "`/api/status` and `--json` have it as `code`. A code stays what it is from release to release."
    yield ""
    for title, found, about, _ in FAMILIES:
        yield from (f"## {title}", "", f"{about[0].upper()}{about[1:]}.", "")
        for code, (means, cure) in found.items():
            yield from (f"### {code}", "", means, "", f"**What to do.** {cure}", "", f"[{code}](errors/{code}.md)", "")


def error_pages() -> Iterator[tuple[str, Iterator[str]]]:
    """A page for each code."""
    for title, found, about, shown in FAMILIES:
        for code, one in found.items():
            yield code, _error_page(title, about, shown, code, one)


def _error_page(title: str, about: str, shown: str, code: str, one: codes.Code) -> Iterator[str]:
    yield from (f"# {code}", "", one.means, "", "## What to do", "", one.cure, "")
    yield from ("## Where it is shown", "", shown, "")
    anchor = title.lower().replace(" ", "-")
    yield f"[{title}](../errors.md#{anchor}): {about}. [All errors](../errors.md)"


def main() -> int:
    """Write the pages, or compare them."""
    stale = []
    for name, text in pages().items():
        page = FOLDER / name
        page.parent.mkdir(exist_ok=True)
        if "--check" not in sys.argv[1:]:
            page.write_text(text, "utf-8")
        elif not page.exists() or page.read_text("utf-8") != text:
            stale.append(page)
    for page in stale:
        sys.stderr.write(f"{page} differs from the code: run make docs-ref\n")
    return 1 if stale else 0


if __name__ == "__main__":
    sys.exit(main())
