"""What changes after the first run: two runs of the real daemon, and between them somebody changes something."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
import yaml

from syncd.pipeline.fresh import FRESH

from .conftest import Undisturbed
from .rig import Daemon, Vendors, answer, ask, assert_right, charged, run_once, syncd

SYNC = "hubspot-contacts"
SEED = 2
PAID = "SELECT count(*) FROM submission"
WAITING = "SELECT count(*) FROM job WHERE state IN ('accepted', 'writing')"
OPEN = "SELECT count(*) FROM submission WHERE state = 'accepted'"
QUEUED = "SELECT count(*) FROM job WHERE state = 'queued'"
UNENDED = "SELECT count(*) FROM job WHERE state NOT IN ('done', 'review')"
DOUBTS = "SELECT count(*) FROM submission WHERE state = 'in_doubt' OR note LIKE '%doubt%'"
NO_WRITES = "hubspot_update_error:*:503"
FREE = {"credits", "balance", "verify", "result"}
GATE = "hubspot_scope_gone:*:crm.objects.contacts.write"


def asked_of(*providers: str, accept: Sequence[str] = ("valid",)) -> dict[str, Any]:
    """A field's policy."""
    return {"providers": list(providers), "accept": list(accept)}


EMAILS, PHONES = asked_of("zeliq", "fullenrich"), asked_of("fullenrich", "zeliq")


def sync_of(vendors: Vendors) -> dict[str, Any]:
    """The sync of HubSpot's contacts as it is configured now."""
    syncs: list[dict[str, Any]] = yaml.safe_load(vendors.config.read_text("utf-8"))["syncs"]
    return next(one for one in syncs if one["crm"] == "hubspot")


def change(vendors: Vendors, fields: Mapping[str, Any] | None = None, **changes: Any) -> None:
    """Configure this one sync, with changes."""
    one = {**sync_of(vendors), **changes}
    vendors.configure(syncs=[one if fields is None else {**one, "fields": dict(fields)}])


def until_then(vendors: Vendors, question: str, least: int = 1) -> None:
    """Run the daemon until the ledger counts so many, and end it as systemd does."""
    with Daemon(vendors) as daemon:
        daemon.wait_for(question, lambda: ask(vendors.ledger, question) >= least)
        assert daemon.terminate() == 0


def calls(vendors: Vendors, provider: str) -> int:
    """Paid calls that a provider has taken."""
    return sum(n for call, n in vendors.get("calls")[provider].items() if call not in FREE)


def planned(vendors: Vendors) -> int:
    """For how many contacts and fields `syncd plan` says that somebody would be asked."""
    totals = answer("plan", "-c", vendors.config)["totals"]
    return sum(one["contacts"] for one in totals if one["provider"] is not None)


def assert_settled(vendors: Vendors) -> None:
    """Every credit is accounted for, and nothing is left undone."""
    assert charged(vendors.ledger) == vendors.bill()
    assert ask(vendors.ledger, UNENDED) == 0
    assert ask(vendors.ledger, OPEN) == 0


# --- names ----------------------------------------------------------------------------------------


def test_l1_a_sync_that_is_renamed_while_paid_values_wait(tmp_path: Path, undisturbed: Undisturbed) -> None:
    with Vendors(tmp_path, seed=SEED, faults=[NO_WRITES]) as vendors:
        until_then(vendors, WAITING)
        change(vendors, name="people")
        vendors.fault(clear=True)
        run_once(vendors)
        assert_right(vendors)
        assert vendors.bill() == undisturbed(SEED), "nothing is asked twice"
        assert ask(vendors.ledger, "SELECT group_concat(DISTINCT sync) FROM spend") == "people"


def test_l2_a_provider_that_is_renamed_while_calls_are_open(tmp_path: Path, undisturbed: Undisturbed) -> None:
    with Vendors(tmp_path, seed=SEED, faults=["zeliq_callback_late:*:3600"]) as vendors:
        until_then(vendors, OPEN, 5)
        connections = yaml.safe_load(vendors.config.read_text("utf-8"))["connections"]
        vendors.configure(connections={"zeliq": None, "finder": connections["zeliq"]})
        fields = {
            name: {**one, "providers": ["finder" if given == "zeliq" else given for given in one["providers"]]}
            for name, one in sync_of(vendors)["fields"].items()
        }
        change(vendors, fields)
        vendors.fault(clear=True)
        run_once(vendors)
        assert ask(vendors.ledger, "SELECT count(*) FROM delivery WHERE state = 'quarantined'") == 0
        verdict = vendors.judge()
        assert verdict["ok"], verdict["examples"]
        billed = vendors.bill()
        assert billed == undisturbed(SEED)
        assert charged(vendors.ledger) == {"finder": billed["zeliq"], "fullenrich": billed["fullenrich"]}


def test_l3_a_provider_that_is_removed_with_open_work(tmp_path: Path) -> None:
    with Vendors(tmp_path, seed=SEED, faults=["fullenrich_slow:*:3600"]) as vendors:
        until_then(vendors, "SELECT count(*) FROM submission WHERE state = 'accepted' AND provider = 'fullenrich'")
        vendors.configure(connections={"fullenrich": None})
        change(vendors, {"email": asked_of("zeliq"), "phone": asked_of("zeliq")})
        with Daemon(vendors, ("--once",)) as daemon:
            assert daemon.wait() == 1
        assert "still wait for something" in daemon.tail(), "what was paid for is told"
        assert ask(vendors.ledger, QUEUED) == 0, "nothing waits for a provider that is not there"
        assert calls(vendors, "zeliq") > 0


def test_l3_a_sync_that_is_removed_with_open_work(tmp_path: Path) -> None:
    options = ("--salesforce=16",)
    with Vendors(tmp_path, seed=SEED, faults=["zeliq_callback_late:*:600"], options=options) as vendors:
        until_then(vendors, OPEN, 5)
        syncs = yaml.safe_load(vendors.config.read_text("utf-8"))["syncs"]
        vendors.configure(syncs=[one for one in syncs if one["crm"] == "salesforce"])
        bought = ask(vendors.ledger, "SELECT count(*) FROM submission WHERE sync = ?", SYNC)
        run_once(vendors)
        assert ask(vendors.ledger, "SELECT count(*) FROM submission WHERE sync = ?", SYNC) == bought
        assert_settled(vendors)
        cancelled = "SELECT count(*) FROM job WHERE sync = ? AND reason = 'cancelled'"
        assert ask(vendors.ledger, cancelled, SYNC) > 0


def test_l4_a_field_that_is_removed_while_its_values_wait(tmp_path: Path) -> None:
    with Vendors(tmp_path, seed=SEED, faults=[NO_WRITES]) as vendors:
        change(vendors, buy_before_write=0)  # the first three may have no number
        until_then(vendors, f"{WAITING} AND field = 'phone'")
        change(vendors, {"email": EMAILS})
        vendors.fault(clear=True)
        run_once(vendors)
        phones = "SELECT count(*) FROM job WHERE field = 'phone' AND {}"
        assert ask(vendors.ledger, phones.format("reason = 'cancelled'")) > 0
        assert ask(vendors.ledger, phones.format("state NOT IN ('done', 'review')")) == 0


# --- selections -----------------------------------------------------------------------------------


def test_l5_a_field_that_is_added_is_looked_for_with_everybody(tmp_path: Path) -> None:
    with Vendors(tmp_path, seed=SEED) as vendors:
        change(vendors, {"email": EMAILS})
        run_once(vendors)
        assert planned(vendors) == 0
        change(vendors, {"email": EMAILS, "phone": PHONES})
        promised = planned(vendors)
        run_once(vendors)
        assert_right(vendors)
        asked = """SELECT count(DISTINCT job_id) FROM attempt JOIN job ON job.id = attempt.job_id
            WHERE job.field = 'phone' AND attempt.provider = 'fullenrich'"""
        assert promised == ask(vendors.ledger, asked) > 0


def test_l6_who_is_no_longer_selected_is_not_bought_for(tmp_path: Path) -> None:
    with Vendors(tmp_path, seed=SEED, faults=[GATE]) as vendors:
        until_then(vendors, QUEUED, 20)
        contacts = vendors.get("state")["contacts"]
        chosen = sorted(one["id"] for one in contacts)[: len(contacts) // 3]
        change(vendors, match={"filters": [{"property": "hs_object_id", "operator": "IN", "values": chosen}]})
        vendors.fault(clear=True)
        run_once(vendors)
        asked = """SELECT group_concat(DISTINCT contact.ext_id) FROM attempt JOIN job ON job.id = attempt.job_id
            JOIN contact ON contact.id = job.contact_id"""
        assert set(ask(vendors.ledger, asked).split(",")) <= set(chosen)
        assert_settled(vendors)


def test_l19_who_was_filled_meanwhile_is_not_bought_for(tmp_path: Path) -> None:
    with Vendors(tmp_path, seed=SEED, faults=[GATE]) as vendors:
        until_then(vendors, QUEUED, 20)
        ref = """SELECT ext_id FROM contact
            WHERE id = (SELECT min(contact_id) FROM job WHERE state = 'queued' AND field = ?)"""
        mail, phone = ask(vendors.ledger, ref, "email"), ask(vendors.ledger, ref, "phone")
        vendors.post("edit", id=mail, property="email", value="typed.by.hand@example.com")
        vendors.post("edit", id=phone, property="phone", value="+442079460123")
        time.sleep(2 * FRESH / vendors.speed)  # the pull is too old to go by
        vendors.fault(clear=True)
        run_once(vendors)
        asked = """SELECT count(*) FROM attempt JOIN job ON job.id = attempt.job_id
            JOIN contact ON contact.id = job.contact_id WHERE contact.ext_id = ? AND job.field = ?"""
        assert (ask(vendors.ledger, asked, mail, "email"), ask(vendors.ledger, asked, phone, "phone")) == (0, 0)
        assert_right(vendors)


# --- policies -------------------------------------------------------------------------------------


def test_l11_a_wider_policy_uses_what_was_bought(tmp_path: Path) -> None:
    with Vendors(tmp_path, seed=SEED, contacts=96, faults=["zeliq_doubtful:*:unknown"]) as vendors:
        change(vendors, {"email": asked_of("zeliq")})
        run_once(vendors)
        poor = ask(vendors.ledger, "SELECT count(*) FROM job WHERE reason = 'low_quality'")
        assert poor > 0
        billed, taken = vendors.bill(), calls(vendors, "zeliq")
        assert taken > 0
        change(vendors, {"email": asked_of("zeliq", accept=("valid", "catch_all", "unknown"))})
        run_once(vendors)
        assert ask(vendors.ledger, "SELECT count(*) FROM job WHERE reason = 'low_quality'") < poor
        assert (vendors.bill(), calls(vendors, "zeliq")) == (billed, taken), "nothing is bought"


def test_l12_a_provider_that_is_added_is_asked_and_no_other(tmp_path: Path, undisturbed: Undisturbed) -> None:
    with Vendors(tmp_path, seed=SEED) as vendors:
        fields = {"email": EMAILS, "phone": PHONES}
        change(vendors, {name: {**one, "providers": one["providers"][:1]} for name, one in fields.items()})
        run_once(vendors)
        found = ask(vendors.ledger, "SELECT count(*) FROM job WHERE reason = 'written'")
        change(vendors, fields)
        run_once(vendors)
        assert_right(vendors)
        assert vendors.bill() == undisturbed(SEED), "only those are asked who were not"
        assert ask(vendors.ledger, "SELECT count(*) FROM job WHERE reason = 'written'") > found


def test_l13_a_profile_that_is_added_is_asked_with(tmp_path: Path) -> None:
    with Vendors(tmp_path, seed=SEED) as vendors:
        run_once(vendors)
        ref = """SELECT contact.ext_id FROM job JOIN contact ON contact.id = job.contact_id
            WHERE job.reason = 'not_found' AND contact.identity NOT LIKE '%linkedin%' LIMIT 1"""
        contact = ask(vendors.ledger, ref)
        assert contact
        asked = """SELECT count(*) FROM attempt JOIN job ON job.id = attempt.job_id
            JOIN contact ON contact.id = job.contact_id WHERE contact.ext_id = ?"""
        before = ask(vendors.ledger, asked, contact)
        vendors.post("edit", id=contact, property="hs_linkedin_url", value="https://www.linkedin.com/in/late-example-1")
        vendors.post("clock/skip", seconds=900)
        run_once(vendors)
        assert ask(vendors.ledger, asked, contact) > before


# --- what the CRM refuses -------------------------------------------------------------------------


def test_l9_and_l10_a_validation_rule_shuts_the_gate_and_lifted_lets_everything_through(tmp_path: Path) -> None:
    rule = "Phones are kept by the sales desk"
    options = ("--salesforce=40",)
    with Vendors(
        tmp_path, seed=SEED, contacts=0, faults=[f"salesforce_validation:*:{rule}"], options=options
    ) as vendors:
        with Daemon(vendors) as daemon:
            told = daemon.said("gate_shut", watch="refusals")
            assert rule in told["why"]
            bought = ask(vendors.ledger, PAID)
            status = syncd("status", "-c", vendors.config).stdout
            assert rule in status
            assert ask(vendors.ledger, PAID) == bought
            vendors.fault(clear=True)
            daemon.wait_for("all to be written", lambda: vendors.judge()["ok"])
            assert daemon.terminate() == 0
        assert_right(vendors)


# --- providers ------------------------------------------------------------------------------------


@pytest.mark.parametrize("status", ["502", "503"])
def test_l17_a_provider_that_is_down_for_a_while_leaves_little_in_doubt(tmp_path: Path, status: str) -> None:
    faults = [f"zeliq_error:*:{status}", f"fullenrich_error:*:{status}"]
    with Vendors(tmp_path, seed=SEED, faults=faults) as vendors, Daemon(vendors) as daemon:
        daemon.said("in_doubt", connection="zeliq")
        daemon.said("in_doubt", connection="fullenrich")
        vendors.post("clock/skip", seconds=600)
        assert ask(vendors.ledger, "SELECT max(n) FROM (SELECT count(*) n FROM submission GROUP BY provider)") <= 3
        vendors.fault(clear=True)
        daemon.wait_for("all to be written", lambda: vendors.judge()["ok"])
        assert daemon.terminate() == 0


def test_l25_a_page_instead_of_an_answer_is_a_doubt_and_is_not_asked_again(
    tmp_path: Path, undisturbed: Undisturbed
) -> None:
    with Vendors(tmp_path, seed=SEED) as vendors, Daemon(vendors) as daemon:
        daemon.wait_for("good answers", lambda: ask(vendors.ledger, "SELECT count(*) FROM result") > 3)
        vendors.fault("zeliq_html_after:1", "fullenrich_html_after:1")
        daemon.wait_for("all to be written", lambda: vendors.judge()["ok"])
        daemon.wait_for("nothing open", lambda: ask(vendors.ledger, UNENDED) == 0)
        assert daemon.terminate() == 0
        assert vendors.bill() == undisturbed(SEED)


def test_l22_a_flawless_run_reconciles(tmp_path: Path) -> None:
    with Vendors(tmp_path, seed=SEED, contacts=96) as vendors:
        run_once(vendors)
        vendors.post("clock/skip", seconds=3600)
        with Daemon(vendors) as daemon:
            daemon.said("started")
            daemon.wait_for("balances", lambda: ask(vendors.ledger, "SELECT count(*) FROM reconciliation") >= 2)
            assert daemon.terminate() == 0
        told = answer("reconcile", "-c", vendors.config)["balances"]
        assert {name: one["difference"] for name, one in told.items()} == {"zeliq": 0, "fullenrich": 0}


def test_l23_the_key_of_another_account_halts(tmp_path: Path) -> None:
    with Vendors(tmp_path, seed=SEED) as vendors:
        change(vendors, {"email": EMAILS})
        run_once(vendors)
        billed, known = vendors.bill(), ask(vendors.ledger, "SELECT count(*) FROM contact")
        change(vendors, {"email": EMAILS, "phone": PHONES})
        vendors.fault("hubspot_other_account:*")
        with Daemon(vendors, ("--once",)) as daemon:
            assert daemon.wait() == 1
        told = daemon.said("halted", connection="hubspot")
        assert (told["trouble"], "account hubspot/44956900" in told["why"]) == ("account", True)
        assert (vendors.bill(), ask(vendors.ledger, "SELECT count(*) FROM contact")) == (billed, known)


# --- credits --------------------------------------------------------------------------------------


def test_l15_what_can_still_be_paid_goes_on(tmp_path: Path) -> None:
    with Vendors(tmp_path, seed=SEED, options=["--credits=9"]) as vendors:
        change(vendors, {"email": asked_of("fullenrich"), "phone": asked_of("fullenrich")})
        with Daemon(vendors, ("--once",)) as daemon:
            daemon.wait()
        written = "SELECT count(*) FROM job WHERE field = ? AND reason = 'written'"
        assert ask(vendors.ledger, written, "email") > 0
        assert ask(vendors.ledger, written, "phone") == 0
        assert charged(vendors.ledger) == vendors.bill()


def test_l27_a_field_of_also_that_is_hidden_warns_and_stops_nothing(tmp_path: Path) -> None:
    fault = "salesforce_field_hidden:*:Contact.OtherPhone"
    with Vendors(tmp_path, seed=SEED, contacts=0, faults=[fault], options=["--salesforce=24"]) as vendors:
        syncs = yaml.safe_load(vendors.config.read_text("utf-8"))["syncs"]
        (one,) = [each for each in syncs if each["name"] == "salesforce-contacts"]
        one["fields"]["phone"]["also"] = ["MobilePhone", "OtherPhone"]
        vendors.configure(syncs=[one])
        checked = syncd("check", "-c", vendors.config)
        assert (checked.returncode, "OtherPhone" in checked.stdout) == (0, True), checked.stdout
        assert not run_once(vendors).lines("halted")
        assert_right(vendors)
