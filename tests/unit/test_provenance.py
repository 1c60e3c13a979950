"""What is told of a record's values in the CRM: set with them, taken back with them, and never in their way."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
import structlog
from structlog.testing import capture_logs

from syncd.config import load
from syncd.config.sections import Verify
from syncd.contract.errors import ConfigError
from syncd.contract.model import Finding, Grade, Level, Selection
from syncd.observe.status import live
from syncd.pipeline import rights
from syncd.registry import Registry
from tests.contract.fake_crm import FakeCrm
from tests.contract.fake_provider import FakeProvider

from .conftest import Build
from .harness import EMAIL, ONE_BY_ONE, PHONE, Harness
from .test_cli_review import CONFIG
from .test_retention import change

PLACES = {"source": "src", "at": "when", "status": "grade", "run": "run"}
MAIL, NUMBER = "ada@acme.example.com", "+33639980123"


def telling(build: Build, *, conditional: bool = False, made: bool = True, second: bool = True) -> tuple[Harness, str]:
    """A harness that tells of its values; ann finds Ada's e-mail, bob her number."""
    crm = FakeCrm("crm", conditional=conditional, history=not conditional)
    crm.made = {*PLACES.values()} if made else set()
    providers = [FakeProvider(name, capabilities=ONE_BY_ONE) for name in ("ann", "bob")]
    harness = build(crm=crm, providers=providers, fields={EMAIL: ["ann"], PHONE: ["bob"]})
    harness.reopen(replace(harness.settings, syncs=(replace(harness.sync, provenance=PLACES),)))
    ada = harness.person()
    harness.finds(ada, EMAIL, MAIL, by="ann")
    if second:
        harness.finds(ada, PHONE, NUMBER, by="bob")
    harness.ask()
    for name in ("ann", "bob"):
        harness.answer_all(name)
    harness.finish()
    return harness, ada


def told(harness: Harness, contact: str) -> dict[str, str]:
    return {what: harness.held(contact, name) for what, name in PLACES.items()}


@pytest.mark.parametrize("conditional", [False, True])
def test_it_is_told_in_the_same_write(build: Build, conditional: bool) -> None:
    harness, ada = telling(build, conditional=conditional)
    assert (harness.held(ada), harness.held(ada, "phone")) == (MAIL, NUMBER)
    found = told(harness, ada)
    assert found.pop("at").endswith("Z")
    assert found == {"source": "email: ann, phone: bob", "status": "email: valid, phone: valid", "run": "1"}
    assert harness.crm.calls.count("write") == 1


@pytest.mark.parametrize("conditional", [False, True])
def test_what_is_taken_back_is_not_told_of_any_more(build: Build, conditional: bool) -> None:
    harness, ada = telling(build, conditional=conditional)
    harness.crm.edit(ada, "phone", "+442079460000")
    harness.undo(sync="people")
    harness.undoing()
    assert (harness.held(ada), harness.held(ada, "phone")) == ("", "+442079460000")
    assert told(harness, ada) == dict.fromkeys(PLACES, ""), "a colleague's number is not ours"


def test_of_two_values_the_one_that_stays_is_told_of(build: Build) -> None:
    harness, ada = telling(build, second=False)
    assert told(harness, ada)["source"] == "email: ann"
    harness.finds(ada, PHONE, NUMBER, by="bob")
    harness.clock.time += 91 * 86_400
    harness.crm.edit(ada, "team", "north")
    harness.sweep()
    harness.ask()
    harness.answer_all("bob")
    harness.finish()
    assert told(harness, ada)["source"] == "email: ann, phone: bob"
    [(run,)] = harness.sql("SELECT run_id FROM write JOIN job ON job.id = job_id WHERE field = 'phone'")
    harness.undo(run=run)
    harness.undoing()
    assert (harness.held(ada), harness.held(ada, "phone"), told(harness, ada)["source"]) == (MAIL, "", "email: ann")


def test_what_the_crm_did_not_let_us_take_back_is_still_told_of(build: Build) -> None:
    harness, ada = telling(build, second=False)
    harness.undo(sync="people")
    change(harness, "UPDATE undo SET state = 'refused'")
    harness.finds(ada, PHONE, NUMBER, by="bob")
    harness.clock.time += 91 * 86_400
    harness.crm.edit(ada, "team", "north")
    harness.sweep()
    harness.ask()
    harness.answer_all("bob")
    harness.finish()
    assert told(harness, ada)["source"] == "email: ann, phone: bob"


def test_where_a_colleague_was_quicker_nothing_is_told(build: Build) -> None:
    crm = FakeCrm("crm")
    crm.made = {*PLACES.values()}
    harness = build(crm=crm, fields={EMAIL: ["ann"]})
    harness.reopen(replace(harness.settings, syncs=(replace(harness.sync, provenance=PLACES),)))
    ada = harness.person()
    harness.finds(ada, EMAIL, MAIL)
    harness.ask()
    harness.answer_all()
    crm.between_read_and_write = lambda: crm.edit(ada, "email", "ada@home.example.com")
    harness.finish()
    assert (harness.held(ada), told(harness, ada)) == ("ada@home.example.com", dict.fromkeys(PLACES, ""))


def test_a_grade_that_was_lowered_is_told_as_it_counts(build: Build) -> None:
    crm = FakeCrm("crm")
    crm.made = {*PLACES.values()}
    harness = build(crm=crm, fields={EMAIL: ["ann"]}, accept=frozenset({Grade.VALID, Grade.PROBABLE}))
    sync = replace(harness.sync, provenance=PLACES, verify=Verify(employer=True))
    harness.reopen(replace(harness.settings, syncs=(sync,)))
    ada = harness.person()
    harness.finds(ada, EMAIL, "ada@other.example.org", grade=Grade.VALID)
    harness.ask()
    harness.answer_all()
    harness.finish()
    assert told(harness, ada)["status"] == "email: probable"


def test_missing_properties_keep_no_value_from_being_written(build: Build) -> None:
    harness, ada = telling(build, made=False)
    assert (harness.held(ada), told(harness, ada)) == (MAIL, dict.fromkeys(PLACES, ""))


def test_that_they_are_missing_is_logged_once_and_its_end_too(build: Build) -> None:
    class Lacking(FakeCrm):
        lacks = True

        async def check(self, selections: object) -> list[Finding]:
            what = Finding(
                level=Level.WARNING, what="no property src", cure="run `syncd setup crm`", at="provenance.source"
            )
            return [what] if self.lacks else []

    crm = Lacking("crm")
    harness = build(crm=crm, fields={EMAIL: ["ann"]})
    structlog.reset_defaults()
    shown = []
    with capture_logs() as lines:
        for lacks in (True, True, False, False):
            crm.lacks = lacks
            harness.parts.gate.look_at.clear()
            harness.run(rights.run_once(harness.parts, "crm"))
            seen = [one for one in harness.run(live(harness.parts))["conditions"] if one["kind"] == "provenance"]
            shown += [(len(seen), any(one["blocks"] for one in seen))]
    assert shown == [(1, False), (1, False), (0, False), (0, False)]
    said = [one["event"] for one in lines if one["event"].startswith("provenance")]
    assert said == ["provenance_missing", "provenance_complete"]
    assert harness.parts.gate.why("people") == "", "nothing stops for it"


def test_it_changes_neither_selection_nor_what_is_written(build: Build) -> None:
    harness, _ = telling(build)
    plain = replace(harness.sync, provenance={})
    assert harness.sync.writing == plain.writing
    assert isinstance(harness.sync.selection, Selection)
    assert harness.sync.selection.stamps == PLACES


def _load(folder: Path, text: str, email: str = "") -> dict[str, str]:
    written = CONFIG.format(path=json.dumps(str(folder / "ledger.db")), secret="x" * 40)
    written = written.replace("{ providers: [ann] }", f"{{ {email}providers: [ann] }}")
    file = folder / "config.yaml"
    file.write_text(written.replace("every: 15m,", f"every: 15m, provenance: {text},"), encoding="utf-8")
    return dict(load(file, {}, registry=Registry()).syncs[0].provenance)


def test_it_is_configured_for_each_sync(tmp_path: Path) -> None:
    assert _load(tmp_path, "{ source: syncd_source, run: syncd_run }") == {"source": "syncd_source", "run": "syncd_run"}
    assert _load(tmp_path, "{}") == {}


def test_each_has_a_property_of_its_own(tmp_path: Path) -> None:
    for text in ("{ source: one, status: one }", "{ source: work_email }"):
        with pytest.raises(ConfigError, match="must be a property of its own"):
            _load(tmp_path, text, email="property: work_email, ")
