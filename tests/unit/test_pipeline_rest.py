"""The daemon comes to rest: what was decided is not decided on again until something has changed."""

import asyncio

from syncd.ledger import writes
from syncd.ledger.states import Reason
from syncd.pipeline import plan

from .house import EMAIL, House

MAIL = "ada@acme.example.com"


def test_what_the_crm_does_not_take_is_not_decided_on_for_ever(house: House) -> None:
    house.person("Bo", email=MAIL, phone="+447700900123")
    ada = house.person("Ada")
    house.finds(ada, EMAIL, MAIL)
    house.ask()
    house.answer_all()
    house.finish()
    assert house.job(ada) == ("done", "duplicate_of")
    house.clock.time += 60
    house.pull()
    house.crm.edit(ada, "phone", "+447700900124")
    house.pull()
    house.run(asyncio.wait_for(plan.run_once(house.parts), 20))
    house.sweep()
    house.run(asyncio.wait_for(plan.run_once(house.parts), 20))
    assert house.job(ada) == ("done", "duplicate_of")
    assert house.sql("SELECT count(*) FROM again JOIN job ON job.id = job_id WHERE at <= ?", house.clock.now()) == [
        (0,)
    ]


def test_a_write_that_was_decided_on_anew_meanwhile_is_left_as_it_is(house: House) -> None:
    """A pull tells that the field is filled while write-back reads the record."""
    ada = house.person("Ada")
    house.finds(ada, EMAIL, MAIL)
    house.ask()
    house.answer_all()
    house.verify()
    (job,) = house.run(house.ledger.read(writes.to_write, [row[0] for row in house.sql("SELECT id FROM job")]))
    house.crm.edit(ada, "email", "ada.byron@acme.example.com")
    house.pull()
    house.plan()
    ended = house.job(ada)
    assert ended[0] == "done"
    end = writes.Ended(job, Reason.VALUE_KEPT, "somebody was quicker")
    finish = house.ledger.write(writes.finish, [end], now=house.clock.now())
    assert not house.run(finish)
    assert house.job(ada) == ended
