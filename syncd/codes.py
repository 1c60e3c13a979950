"""Every error has a code: a word that stays, with what it means and what to do. They are shown by commands, the log,
the API and the pages; `docs/reference/errors.md` is written from here, with an anchor for each.

In here: the list. Not in here: which of them is so now (`observe/conditions`), or how a command ends (`cli/failing`).
"""

from __future__ import annotations

from typing import NamedTuple

from syncd.contract.errors import Trouble
from syncd.contract.model import Finding, Level

PAGE = "docs/reference/errors.md"


class Code(NamedTuple):
    """What an error means, and how it is mended."""

    means: str
    cure: str


CONNECTIONS = {  # why a connection is halted (`Trouble`), and what else `syncd check` finds there
    "connection-credentials": Code(
        "The vendor refuses the key, or a right that every call needs is missing. The connection is halted.",
        "Copy the key again (then `systemctl restart syncd`), or give it the rights of `docs/keys.md`: that is noticed "
        "within minutes.",
    ),
    "connection-credits": Code(
        "The provider's account has no credits left. Nothing is asked there; what was bought is still taken.",
        "Buy credits there. It goes on by itself within minutes.",
    ),
    "connection-blocked": Code(
        "The vendor has locked the account.",
        "Ask the vendor's support to unlock it. It goes on by itself once a check passes.",
    ),
    "connection-misconfigured": Code(
        "The vendor refuses our calls for a reason that no second try mends: a property, an option, a plan.",
        "Do what the message says, change the configuration, then reload.",
    ),
    "connection-unreachable": Code(
        "Callbacks don't reach syncd through `callbacks.public_url`, so that nothing is bought.",
        "See whether the proxy runs, its certificate is valid, and the name leads to it; `syncd check` tries it.",
    ),
    "connection-account": Code(
        "The key belongs to another account than the one that this connection had before. Nothing is sent there.",
        "Put the former account's key back, or give the other account a connection with another name.",
    ),
    "connection-passing": Code(
        "The vendor could not be asked just now: an outage, or too many calls.",
        "Nothing to do; run `syncd check` again in a minute.",
    ),
    "connection-check": Code(
        "Something at this connection keeps `syncd run` from working well.",
        "Do what the line below it says; `docs/keys.md` has each right, and what it is for.",
    ),
    "connection-advice": Code(
        "The connection works. It would do better with a right, a property, or more credits.",
        "Do what the line below it says, or leave it so.",
    ),
    "selection": Code(
        "`match` or `object` of a sync can't be used in this CRM: it names what is not there, or is too long.",
        "Correct the named key of the sync; the connection's other syncs go on.",
    ),
    "property": Code(
        "A property that a sync names is not there, can't be read, or can't be written.",
        "Name another property, or have an administrator give the right to it.",
    ),
}

GATES = {  # watches of the gate: each keeps syncd from buying
    "gate-callbacks": Code(
        "No callback of our own has come back through `callbacks.public_url`.",
        "Wait a moment after a start; else see whether the proxy runs and the name leads to it.",
    ),
    "gate-clock": Code(
        "The clock of the host was set, and is not believed yet.",
        "Have it synchronised (chrony, systemd-timesyncd). It goes on by itself.",
    ),
    "gate-integrity": Code(
        "The ledger is being checked for damage after a start.",
        "Wait; a large ledger takes minutes. If damage is found, see `ledger-damaged`.",
    ),
    "gate-inbox": Code(
        "Answers that came in before the start have not been read yet. What they say need not be bought.",
        "Wait; it goes on by itself.",
    ),
    "gate-restored": Code(
        "The ledger was put back from a copy. Calls that the copy does not know may still be answered.",
        "Wait: `syncd thaw` says until when, and ends it with `--yes`.",
    ),
    "gate-write-right": Code(
        "The CRM was not seen to take writes to the sync's properties: what is found could not be stored.",
        "Give the right that the message names, or name another property. `syncd check` tries it.",
    ),
    "gate-backlog": Code(
        "Found values wait for the CRM, which does not take them or is slow.",
        "See why the CRM is slow or refuses; buying goes on once they are written.",
    ),
}

CONDITIONS = {  # kinds of conditions, as `alerts.on` names them
    "budget": Code(
        "A budget is used up, or too little of it is left for the next call.",
        "Nothing to do: it goes on at the time that is named. Or raise the budget.",
    ),
    "credits": Code(
        "A provider refused a call for want of credits; what is cheaper goes on.",
        "Buy credits there. It goes on by itself within minutes.",
    ),
    "floor": Code(
        "The next call could leave fewer credits than the connection's `floor`.",
        "Buy credits there, or set another `floor`.",
    ),
    "balance": Code(
        "A provider's balance moves otherwise than the charges say. Others may use the account.",
        "`syncd reconcile` shows what was compared; `--accept CONNECTION` begins anew once you know why.",
    ),
    "unreachable": Code(
        "A vendor does not answer.",
        "Nothing to do if it is an outage. Else look at `network.proxy` and the firewall.",
    ),
    "breaker": Code(
        "Several paid calls in a row were lost, so that a provider is not asked for a while.",
        "Nothing to do: a single call finds out whether it is over. `syncd in-doubt list` shows what is at risk.",
    ),
    "disk": Code(
        "Less room than `ledger.reserve` is left beside the ledger. Nothing is bought; answers are still taken.",
        "Make room on that disk.",
    ),
    "refusals": Code(
        "A CRM refuses values, one after the other.",
        "See whether a rule, a lock or a missing right is behind it. The values are kept and tried again.",
    ),
    "in-doubt": Code(
        "Nobody can say whether a paid call arrived. It is never sent again by itself.",
        "A late answer settles it, or `in_doubt.policy` does, or you: `syncd in-doubt list`, `syncd in-doubt resolve`.",
    ),
    "review": Code(
        "Values wait for a person's decision.",
        "`syncd review list`, then `syncd review accept` or `syncd review refuse`.",
    ),
    "outdated": Code(
        "Values that syncd wrote were asked about again, and not found like that any more. They stand as they are.",
        "`syncd contacts reason:outdated` lists them, `syncd show REF` tells the new value or employer. Change it "
        "in the CRM, or let the field's `policy` replace what syncd wrote.",
    ),
    "contradictions": Code(
        "Many answers of a provider are about other people. None of them is written.",
        "`syncd show REF` says what contradicts. Put another provider first, or ask the vendor.",
    ),
    "provenance": Code(
        "Values are written, but not the properties that tell where they are from.",
        "`syncd setup CRM` makes them, or says what an administrator has to make.",
    ),
    "sweep": Code(
        "The last whole pull did not bring many contacts that are worked on.",
        "See whether the filter, a list or a right was changed in the CRM. Nothing is bought for them.",
    ),
    "late": Code(
        "A stage, the event loop or the ledger stands still.",
        "Look at the disk and at the load of the host; the service manager restarts a daemon that hangs.",
    ),
    "configuration": Code(
        "The configuration can't be used, or a changed one was refused at a reload and is not in use.",
        "`syncd check` says each problem with its line. Mend it, then `systemctl reload syncd`.",
    ),
    "paused": Code(
        "Somebody, or a sync's `canary`, has stopped a sync, a provider, or everything.",
        "`syncd resume NAME` lets it go on, `syncd resume --all` everything.",
    ),
}

ENDINGS = {  # how a command, or the daemon, ends
    "usage": Code(
        "An option, an argument or a value was typed that the command does not know (exit 2). Nothing was done.",
        "Read the line of the error; `syncd COMMAND --help` has the options, and examples.",
    ),
    "failed": Code("The work of the command failed (exit 1).", "Do what the message says."),
    "ledger": Code(
        "The ledger can't be used: it is no ledger, or not there (exit 1).",
        "Name the right file in `ledger.path`, or the right database in `ledger.url`.",
    ),
    "ledger-newer": Code(
        "A newer release has changed the ledger's tables in a way that this one can't work with (exit 78).",
        "Install the newer release on this host, too. The way back is the copy that was made before the upgrade.",
    ),
    "ledger-damaged": Code(
        "The ledger's file is damaged. It is left as it is (exit 65).",
        "Stop the daemon, `syncd restore COPY`, start it again. Keep the damaged file until you know why.",
    ),
    "bug": Code(
        "Something that must never be, or that nobody foresaw (exit 70). syncd stops before it does harm.",
        "Please report it with the details, which stand in a file or are shown by `syncd --debug …`.",
    ),
    "ledger-in-use": Code(
        "Another daemon has the ledger (exit 73).",
        "Stop it first, or give this one its own `ledger.path`.",
    ),
    "ledger-moved": Code(
        "`syncd migrate` has moved the ledger to another database, or was cut short on its way (exit 78).",
        "Let `ledger` in the configuration name the place that the message tells. Where the move has not ended, run "
        "`syncd migrate` again with the configuration as it was: it goes on where that is safe, or begins anew.",
    ),
    "disk-failed": Code(
        "The disk refused to read or keep something (exit 74). What was acknowledged is on it.",
        "Look at the kernel's log (`dmesg`), replace the disk, restore a copy if `syncd verify` says so.",
    ),
    "disk-full": Code("There is no room (exit 74). Nothing is lost.", "Make room there, or name another place."),
    "try-again": Code(
        "Passing trouble: the ledger is busy, a port is taken, a vendor does not answer (exit 75).",
        "Try again in a moment.",
    ),
    "not-permitted": Code(
        "This user may not read or write that file (exit 77).",
        "Run it as the user of the daemon, or as root.",
    ),
}

HOST = {  # what `syncd check` and `syncd doctor` find on this host
    "host-software": Code(
        "Python, SQLite or the time zones of this host are missing or too old.",
        "Install what the line below it names.",
    ),
    "host-clock": Code(
        "The clock is not synchronised: budgets and deadlines depend on it.",
        "`timedatectl set-ntp true`, or install chrony.",
    ),
    "host-service": Code(
        "The service or its socket is not installed, not started, or has failed.",
        "`deploy/README.md` says how it is installed; `journalctl -u syncd -n 50` says why it failed.",
    ),
    "host-secrets": Code("A file with a secret is open to other users.", "`chmod 600` it."),
    "host-name": Code(
        "The host of `callbacks.public_url` has no address.",
        "Make a DNS record for it, or correct the URL.",
    ),
    "host-folder": Code(
        "The ledger's folder or files can't be used safely: another owner, open to others, a remote file system.",
        "Do what the line below it says; the ledger needs a local disk and one owner.",
    ),
    "host-port": Code(
        "A listener's address can't be opened, because something else listens there.",
        "Choose another port, or see what it is: `ss -ltnp`.",
    ),
    "unused": Code("No sync uses this connection.", "Name it in a sync, or remove it once it owes no answers."),
}

CODES = {**CONNECTIONS, **GATES, **CONDITIONS, **ENDINGS, **HOST}


def of_trouble(trouble: Trouble | str) -> str:
    """The code of a halted connection."""
    return f"connection-{trouble}"


def of_watch(watch: str) -> str:
    """The code of a reason for which nothing is bought."""
    code = watch.replace("_", "-")
    return code if code in CONDITIONS else f"gate-{code}"


def of_finding(finding: Finding) -> str:
    """The code of a line of `check` or `doctor`; "" where all is well. A connector need not know of codes: what it says
    of a finding is enough."""
    if finding.level is Level.OK:
        return ""
    if finding.code:
        return finding.code
    if finding.trouble is not None:
        return of_trouble(finding.trouble)
    if finding.passing:
        return "connection-passing"
    if finding.selection is not None:
        return "selection" if finding.at.partition(".")[0] in {"", "match", "object"} else "property"
    return "connection-check" if finding.level is Level.ERROR else "connection-advice"


def see(code: str) -> str:
    """Where the docs tell of it."""
    return f"{PAGE}#{code}"
