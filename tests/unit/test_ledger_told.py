"""What a provider was told is kept once, with the question; whoever reads an answer finds it there."""

from __future__ import annotations

from syncd.ledger import results
from syncd.ledger.store import Tx

from .conftest import Build
from .house import EMAIL


def test_an_answer_says_what_was_told_although_only_its_question_keeps_it(build: Build) -> None:
    house = build(fields={EMAIL: ["ann"]})
    ada = house.person("Ada")
    house.finds(ada, EMAIL, "ada@acme.example")
    house.pull()
    house.plan()
    house.clock.time += 60
    house.dispatch()
    house.answer_all()
    [(asked, job)] = house.sql("SELECT asked, job_id FROM attempt")
    assert house.sql("SELECT told FROM result") == [(None,)]
    assert house.sql("SELECT told FROM answer") == [(asked,)]

    def shared(tx: Tx) -> None:
        [said] = tx.rows("results_of_job", job_id=job)
        results.copy(tx, said["id"], job, 5, way="", doubt="", note="", now=house.clock.now())

    house.run(house.ledger.write(shared))
    assert house.sql("SELECT told FROM answer") == [(asked,), (asked,)]
