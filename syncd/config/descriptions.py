"""What each key of the file is for, in a sentence: for editors, by way of the JSON Schema. Keys are those of
`sections`; a connector's options bring their own words."""

from __future__ import annotations

from collections.abc import Mapping

DESCRIPTIONS: Mapping[str, Mapping[str, str]] = {
    "Document": {
        "ledger": "Where everything is remembered: contacts, calls, answers, credits.",
        "callbacks": "Where providers send their answers. May be left out where every provider can be polled.",
        "admin": "The private listener: pages, metrics, health, API.",
        "network": "How all calls leave this host. Nothing of it is taken from the environment.",
        "log": "What is written to standard output.",
        "rehearsal": "Only against `syncd sandbox`, whose time runs faster.",
        "people": "Who is who, in all CRMs together.",
        "budgets": "The most that may be spent: each call has to fit into all that count it.",
        "alerts": "Who is told of what is wrong, and of its end.",
        "traces": "Where spans are sent, by OTLP over HTTP.",
        "connections": "CRMs and providers, each under a name of yours.",
        "syncs": "Which records are looked after, when, and how.",
    },
    "Ledger": {
        "path": "The ledger's file; relative to the configuration's folder. Beside it stand -wal and -shm.",
        "url": "In place of a file, a PostgreSQL database: postgresql://user@host/database. Needs syncd[postgres].",
        "durability": "Of a database: replicated (a commit counts once a synchronous standby has it) or local (the "
        "primary alone: with its host, the newest answers and purchases can be forgotten).",
        "keep": "How long the ledger keeps what it no longer works on.",
        "lease": "A process of which nothing was heard for so long counts as ended; with a `url`, others take over its "
        "work. Shorter than two minutes, slow calls end in doubt more often.",
        "reserve": "With less room than this beside the ledger's file, nothing is bought.",
    },
    "Keep": {
        "raw": "Providers' answers, as they came.",
        "jobs": "The history, finds and values of finished jobs.",
        "people": "Who was not seen in the CRM for so long, and what was asked about them.",
    },
    "Callbacks": {
        "listen": "Address and port for callbacks, behind a proxy that speaks TLS.",
        "public_url": "What the providers see of it: an https address that leads to `listen`.",
        "self_check": "syncd calls itself by `public_url` before it buys. false where this host can't reach it (NAT): "
        "then a few contacts are bought for, and the first answer shows that callbacks arrive.",
        "drain": "At the end of a process, callbacks are still taken for so long after `/healthz` answers 503, so that "
        "a balancer sends no more. Without it: 5s with a ledger in PostgreSQL, 0s with a file.",
        "spool": "Where callbacks are kept while no PostgreSQL answers (`on_ledger_down: spool`).",
        "secrets": "32 characters or more each. The first one signs, all of them are accepted.",
    },
    "Spool": {
        "path": "A file on a local disk of each host that takes callbacks; relative to the configuration's folder.",
        "limit": "With so many bytes of callbacks in it, more are refused (503).",
    },
    "Admin": {
        "listen": "Address and port for people, scripts and Prometheus.",
        "hosts": "Names by which it may be asked, beside localhost and addresses in numbers.",
        "token": "Needed when it listens beyond this machine.",
    },
    "NetworkSection": {
        "proxy": "An http proxy (CONNECT) for all calls, with user and password where it wants them.",
        "resolver": "A name server's address and port, for `verify`; without it, the host's own.",
        "ca_file": "Certificate authorities to trust beside the system's, PEM; relative to the configuration's folder.",
    },
    "Log": {
        "format": "console, json, or auto: console on a terminal, json elsewhere.",
        "level": "The least important lines that are still written.",
    },
    "Rehearsal": {
        "speed": "Seconds that pass in one.",
        "origin": "UTC seconds at which both clocks began; `syncd sandbox` tells it.",
    },
    "People": {
        "own_domains": "Your own domains: they are never taken for a contact's employer.",
        "opt_out_scope": "person: who opted out in one record is left alone in all; record: in that one only.",
    },
    "Alert": {
        "to": "Where to, as an Apprise address.",
        "on": "Of what; without it, of everything.",
        "quiet": "Hours in which nothing is sent; a summary follows.",
        "time_zone": "Of `quiet`.",
        "test": "How often a message shows that alerts arrive.",
    },
    "Traces": {
        "endpoint": "The collector's address for traces.",
        "headers": "What is sent along, such as a key.",
        "sample": "Which part of them is sent; 1: all.",
    },
    "ConnectionSection": {
        "connector": "Which kind of vendor it is.",
        "base_url": "Another host than the vendor's own: a sandbox, a gateway, another region.",
        "floor": "So many credits are to be left: no call is made after which less could be.",
        "on_ledger_down": "While no PostgreSQL answers, a callback is kept on this host's disk and forwarded later "
        "(spool), or answered 503 (refuse). Without it: refuse where the provider is known to send it again.",
        "in_doubt": "What becomes of a paid call of which nobody knows whether it arrived.",
        "expired": "What becomes of the credits of a call that nobody answered.",
    },
    "InDoubtRule": {
        "policy": "ask: it is put before you; never: it is not sent again; resend_once: it is, once.",
        "hold": "After so long; until then a late answer may still settle it.",
    },
    "ExpiredRule": {
        "settle": "What such a call counts as: charged (its worst case) or free.",
        "after": "So long after it was given up; until then its worst case is reserved.",
    },
    "SyncSection": {
        "name": "A name of yours.",
        "crm": "The connection to a CRM.",
        "object": "Which of the CRM's objects.",
        "schedule": "When to pull, as in crontab: `*/15 * * * *`, names, ranges, @daily. Or `every`.",
        "every": "How often to pull. Or `schedule`.",
        "time_zone": "Of `schedule`.",
        "match": "Which records, in the CRM's own terms; without it: all.",
        "fields": "What is looked for, and who is asked.",
        "budget": "The most that this sync may spend: the short form of an entry in `budgets`.",
        "ages": "How long an answer counts; after that the provider may be asked again.",
        "retry_not_found": "An older name of `ages.not_found`.",
        "sweep": "How often all that lack something are pulled anew, changed or not.",
        "on_doubt": "An answer may be about somebody else: a person decides (review), the next provider is asked first "
        "(next), or it is written (accept).",
        "review_within": "Nobody has decided for so long: the next provider is asked.",
        "approve": "Values wait for `syncd review accept` before they are written: all (true), or what is above so "
        "many in a run ({ above: 100 }).",
        "extras": "What an answer brings for nothing, and the property that it is written to.",
        "provenance": "Properties that tell of a record's values where they are from; `syncd setup` makes them.",
        "when_unavailable": "While a provider can't be asked: wait for it, or ask the next.",
        "priority": "Its share of the turns at a provider that several syncs ask.",
        "buy_before_write": "Contacts to buy for before the CRM has confirmed a write; 0: any number.",
        "write_within": "A found value waits so long for a full batch at most.",
        "writes_per_hour": "So many values are written in an hour at most.",
        "writes_per_run": "So many values are written from one pull to the next at most.",
        "canary": "After its first so many writes the sync is paused, until you have looked: `syncd resume`.",
        "verify": "What is looked at beyond the provider's word; each can lower a grade, none can raise it.",
        "request": "A checkbox property: whose is ticked goes before everybody else; it is cleared once that is done.",
        "paused": "true: keep it here, but do nothing.",
    },
    "FieldSection": {
        "property": "Where it is written; without it, the CRM's usual one.",
        "also": "Other properties that count as having one.",
        "providers": "Connections to providers, asked in this order until one finds it.",
        "accept": "Which grades are written.",
        "kinds": "Which kinds are written: of e-mails work, personal (usual) and role; of phones mobile, fixed (usual) "
        "and voip.",
        "mobile": "Mobile numbers are written to this property instead, if it is blank.",
        "prefer": "Of several acceptable numbers: a mobile one, or the one that the provider puts first.",
        "format": "+33639980012 (e164, usual), +33 6 39 98 00 12 (international), 06 39 98 00 12 (national).",
        "ages": "How long an answer counts, for this field alone.",
        "refill": "Look for another value where a program has cleared what syncd wrote.",
        "policy": "What may stand where a value is written: nothing (fill_blank), syncd's own value where nobody else "
        "has ever written (own), syncd's own value that nobody has changed (overwrite_own), or what no person has "
        "touched and is of a lower grade (better).",
    },
    "NamedBudget": {
        "name": "A name of yours; it is told when the budget is used up.",
        "syncs": "For which syncs; without it, for all.",
        "fields": "For which fields (email, phone); without it, for all.",
        "providers": "At which providers; without it, at all.",
        "refresh": "true: only for verifying again what syncd wrote (`ages.refresh`).",
        "per_run": "The most from one pull of a sync to its next.",
        "per_day": "The most in a calendar day, open jobs in their worst case.",
        "per_month": "The most in this day and the 29 before it.",
        "time_zone": "Where days begin and end, such as Europe/Paris.",
    },
    "Budget": {
        "credits_per_day": "In credits of all providers together, open jobs in their worst case.",
        "credits_per_month": "In this day and the 29 before it.",
        "time_zone": "Where days begin and end, such as Europe/Paris.",
    },
    "AgesSection": {
        "found": "How long a find counts.",
        "not_found": "How long a miss counts.",
        "refresh": "A value that syncd wrote, and that still stands so long after, is verified again. Left out: never.",
        "providers": "The same for some providers, by the name of their connection.",
    },
    "PartialAges": {"found": "How long a find counts.", "not_found": "How long a miss counts."},
    "Approve": {"above": "So many values of a run are written without a person."},
    "Provenance": {
        "source": "Who found them.",
        "at": "When the last one was written, or verified again.",
        "status": "How good they are.",
        "run": "In which run the last one was written.",
        "legal_basis": "Words for the CRM's property of the legal basis, set with a first value where none is named.",
    },
    "Verify": {
        "mail_exchanger": "A domain that takes no mail (MX, by the DNS) makes an address invalid.",
        "employer": "A work address on another domain than the employer's is at most probable.",
    },
    "Extra": {"property": "The property that it is written to, where that is blank."},
    "Extras": {
        "linkedin": "The property for the profile's address, where that is blank.",
        "linkedin_url": "The same.",
        "job_title": "The property for the job's title, where that is blank.",
        "company": "The property for the employer's name, where that is blank.",
        "company_domain": "The property for the employer's domain, where that is blank.",
    },
}
