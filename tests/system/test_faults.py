"""Vendors and networks as they are at their worst: the end is the same, and so is the bill."""

from pathlib import Path

import pytest

from .conftest import Undisturbed
from .rig import Vendors, ask, assert_right, charged, run_once

HARMLESS = {
    "callbacks that are early, twice, late, forged, in another order": (
        "zeliq_early:5", "zeliq_callback_duplicate:10:2", "zeliq_callback_forged:5", "zeliq_callback_repeat:5:60",
        "zeliq_callback_reorder:4", "zeliq_callback_unheard:3", "zeliq_callback_late:2:600",
        "fullenrich_early:1", "fullenrich_shuffled:*", "fullenrich_contact_webhook_duplicate:5",
        "fullenrich_webhook_duplicate:2", "fullenrich_contact_webhook_forged:5", "fullenrich_webhook_forged:2",
        "fullenrich_webhook_repeat:1:60", "fullenrich_webhook_reorder:1", "fullenrich_contact_webhook_reorder:2",
    ),
    "callbacks that nobody can read, before one that can be": (
        "zeliq_callback_malformed:2", "zeliq_callback_garbage:2", "zeliq_callback_array:2", "zeliq_callback_deep:2",
        "zeliq_callback_huge:2", "zeliq_callback_form:2", "fullenrich_contact_webhook_malformed:1",
        "fullenrich_webhook_garbage:1", "fullenrich_contact_webhook_array:1", "fullenrich_contact_webhook_deep:1",
        "fullenrich_signature_wrong:2", "fullenrich_signature_missing:1", "fullenrich_signature_upper:1",
        "fullenrich_signature_prefixed:1",
    ),
    "answers that are not as documented": (
        "fullenrich_no_custom:*", "fullenrich_extra:1", "fullenrich_no_id:1", "fullenrich_bad_dates:*",
        "zeliq_no_job_id:*", "zeliq_status:5:200", "zeliq_more_keys:*", "zeliq_result_in_body:3:both",
        "zeliq_credit_text:*",
    ),
    "calls that were carried out, but nobody said so": (
        "zeliq_cut_after:1", "zeliq_error_after:1:500", "zeliq_empty_after:1", "zeliq_garbled_after:1",
        "fullenrich_cut_after:1", "fullenrich_error_after:1:504", "hubspot_update_cut_after:1",
        "hubspot_update_error_after:1", "hubspot_update_torn:1",
    ),
    "calls that were not carried out, but nobody said so": (
        "zeliq_cut:1", "zeliq_error:1:502", "fullenrich_cut:1", "hubspot_update_cut:1",
    ),
    "limits and bad minutes": (
        "zeliq_limited:3", "fullenrich_limited:1", "hubspot_burst:2", "hubspot_secondly:1",
        "hubspot_search_error:1:503", "hubspot_read_error:2", "hubspot_update_error:1:500", "hubspot_read_torn:1",
    ),
    "a final webhook that leaves people out": ("fullenrich_short_final:*", "fullenrich_contact_webhook_never:*"),
    "webhooks that never come": (
        "fullenrich_webhook_never:*", "fullenrich_contact_webhook_never:*", "fullenrich_result_error:1",
        "fullenrich_result_garbled:1", "zeliq_slow:2:900", "fullenrich_in_progress_200:*",
    ),
}  # fmt: skip
STATES_OF_BEING = {"zeliq_more_keys", "zeliq_credit_text", "fullenrich_bad_dates", "fullenrich_in_progress_200"}


@pytest.mark.parametrize("faults", HARMLESS.values(), ids=HARMLESS.keys())
def test_same_end_same_bill(tmp_path: Path, undisturbed: Undisturbed, faults: tuple[str, ...]) -> None:
    with Vendors(tmp_path, seed=2, faults=faults) as vendors:
        run_once(vendors)
        assert_right(vendors)
        assert vendors.bill() == undisturbed(2)
        names = {spec.partition(":")[0] for spec in faults}
        assert names - STATES_OF_BEING - vendors.get("faults")["struck"].keys() == set()  # each of them happened


@pytest.mark.parametrize("form", [1, 2, 3, 4])
def test_an_email_that_another_contact_holds(tmp_path: Path, form: int) -> None:
    """However HubSpot refuses it, in a world of people who interfere."""
    with Vendors(tmp_path, seed=2, contacts=60, faults=[f"hubspot_conflict_form:*:{form}"]) as vendors:
        run_once(vendors)
        assert_right(vendors)
        assert ask(vendors.ledger, "SELECT count(*) FROM job WHERE reason = 'duplicate_of'") >= 1


def test_n14_a_portal_that_books_our_writes_under_a_person(tmp_path: Path) -> None:
    """Among colleagues who clear, fill and edit: what was written is known for ours, and theirs comes back."""
    with Vendors(tmp_path, seed=2, contacts=60, faults=["hubspot_books_as_person:*"]) as vendors:
        run_once(vendors)
        assert_right(vendors)
        assert ask(vendors.ledger, "SELECT count(*) FROM job WHERE reason = 'written'") > 10


def test_a_job_that_runs_out_of_credits_is_paid_for_what_came(tmp_path: Path) -> None:
    with Vendors(tmp_path, seed=2, faults=["fullenrich_out_of_credits:1:1"]) as vendors:
        run_once(vendors)
        assert charged(vendors.ledger) == vendors.bill()
        assert_right(vendors)
