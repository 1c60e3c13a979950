"""What a provider was told is kept once, with the question; whoever reads an answer finds it there."""

from __future__ import annotations

from syncd.ledger import results
from syncd.ledger.store import Tx

from .conftest import Build
from .harness import EMAIL


def test_an_answer_says_what_was_told_although_only_its_question_keeps_it(build: Build) -> None:
    harness = build(fields={EMAIL: ["ann"]})
    ada = harness.person("Ada")
    harness.finds(ada, EMAIL, "ada@acme.example")
    harness.pull()
    harness.plan()
    harness.clock.time += 60
    harness.dispatch()
    harness.answer_all()
    [(asked, job)] = harness.sql("SELECT asked, job_id FROM attempt")
    assert harness.sql("SELECT told FROM result") == [(None,)]
    assert harness.sql("SELECT told FROM answer") == [(asked,)]

    def shared(tx: Tx) -> None:
        [said] = tx.rows("results_of_job", job_id=job)
        results.copy(tx, said["id"], job, 5, way="", doubt="", note="", now=harness.clock.now())

    harness.run(harness.ledger.write(shared))
    assert harness.sql("SELECT told FROM answer") == [(asked,), (asked,)]
