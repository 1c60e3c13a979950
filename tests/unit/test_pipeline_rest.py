"""The daemon comes to rest: what was decided is not decided on again until something has changed."""

import asyncio

from syncd.ledger import writes
from syncd.ledger.states import Reason
from syncd.pipeline import plan

from .harness import EMAIL, Harness

MAIL = "ada@acme.example.com"


def test_what_the_crm_does_not_take_is_not_decided_on_for_ever(harness: Harness) -> None:
    harness.person("Bo", email=MAIL, phone="+447700900123")
    ada = harness.person("Ada")
    harness.finds(ada, EMAIL, MAIL)
    harness.ask()
    harness.answer_all()
    harness.finish()
    assert harness.job(ada) == ("done", "duplicate_of")
    harness.clock.time += 60
    harness.pull()
    harness.crm.edit(ada, "phone", "+447700900124")
    harness.pull()
    harness.run(asyncio.wait_for(plan.run_once(harness.parts), 20))
    harness.sweep()
    harness.run(asyncio.wait_for(plan.run_once(harness.parts), 20))
    assert harness.job(ada) == ("done", "duplicate_of")
    assert harness.sql("SELECT count(*) FROM again JOIN job ON job.id = job_id WHERE at <= ?", harness.clock.now()) == [
        (0,)
    ]


def test_a_write_that_was_decided_on_anew_meanwhile_is_left_as_it_is(harness: Harness) -> None:
    """A pull tells that the field is filled while write-back reads the record."""
    ada = harness.person("Ada")
    harness.finds(ada, EMAIL, MAIL)
    harness.ask()
    harness.answer_all()
    harness.verify()
    (job,) = harness.run(harness.ledger.read(writes.to_write, [row[0] for row in harness.sql("SELECT id FROM job")]))
    harness.crm.edit(ada, "email", "ada.byron@acme.example.com")
    harness.pull()
    harness.plan()
    ended = harness.job(ada)
    assert ended[0] == "done"
    end = writes.Ended(job, Reason.VALUE_KEPT, "somebody was quicker")
    finish = harness.ledger.write(writes.finish, [end], now=harness.clock.now())
    assert not harness.run(finish)
    assert harness.job(ada) == ended
