"""Every command of syncd, and how `make boot` calls it as root beside the running service."""

from __future__ import annotations

from dataclasses import dataclass

from .container import HOME


@dataclass(frozen=True)
class Call:
    """`command` without the word syncd; `{contact}` is one of the ledger. `status` is the exit code, and `says` what is
    told."""

    command: str
    status: int = 0
    says: str = ""


_NOTHING_WAITS = "Nothing waits that is like this."
CALLS: dict[str, Call] = {
    "alert test": Call("alert test", says="sent"),
    "backup": Call(f"backup {HOME}/one-more.db", says="MB in"),
    "check": Call("check"),
    "completion": Call("completion bash", says="_syncd"),
    "config schema": Call("config schema", says="$schema"),
    "connectors": Call("connectors", says="hubspot"),
    "contacts": Call("contacts reason:written --limit 5", says="written"),
    "demo": Call("demo --contacts 20 --folder /var/tmp/demo", says="credits"),
    "doctor": Call("doctor", says="systemd: syncd.service is active"),
    "enrich": Call("enrich {contact}", says="Nothing was done: add --yes"),
    "export": Call("export {contact}", says="{"),
    "forget": Call("forget {contact}", says="--yes"),
    "in-doubt list": Call("in-doubt list"),
    "in-doubt resolve": Call("in-doubt resolve --provider zeliq --since 2h --not-sent", says="No call is like this."),
    "pause": Call("pause zeliq --reason trial --until 10m", says="zeliq is paused until"),
    "plan": Call("plan --json", says="worst_case_credits"),
    "pull": Call("pull hubspot-contacts", says="is pulled by the running daemon"),
    "reconcile": Call("reconcile"),
    "report": Call("report", says="Providers"),
    "resume": Call("resume zeliq", says="zeliq goes on."),
    "retry": Call("retry {contact}", says="Nothing was done"),
    "review accept": Call("review accept --why nothing-like-this", says=_NOTHING_WAITS),
    "review list": Call("review list"),
    "review refuse": Call("review refuse --why nothing-like-this", says=_NOTHING_WAITS),
    "review show": Call("review show 999999999", status=1, says="`syncd review list` shows what does"),
    "runs": Call("runs --limit 5"),
    "setup": Call("setup hubspot", says="there is nothing to make"),
    "show": Call("show {contact}", says="written"),
    "status": Call("status", says="zeliq"),
    "suppress add": Call("suppress add nobody@example.com --reason a-trial"),
    "suppress import": Call(f"suppress import {HOME}/leave-alone.csv --reason a-trial"),
    "suppress list": Call("suppress list", says="a-trial"),
    "suppress remove": Call("suppress remove nobody@example.com"),
    "thaw": Call("thaw", says="Nothing is frozen."),
    "undo": Call("undo --contact {contact}", says="--yes"),
    "verify": Call("verify", says="adds up"),
}
ELSEWHERE: dict[str, str] = {
    "init": "tests/system/test_init.py: here the configuration is that of deploy/README.md",
    "migrate": "tests/system/test_migrate.py: with a PostgreSQL, which deploy/README.md does without",
    "restore": "a command of deploy/README.md, section Copies, and back again",
    "run": "the service itself, and refused beside it: Boot.a_second_daemon_is_refused",
    "sandbox": "the emulated vendors of the whole trial: Boot.install",
}
