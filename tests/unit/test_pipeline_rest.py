"""The daemon comes to rest: what was decided is not decided on again until something has changed."""

import asyncio

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
    assert house.sql("SELECT count(*) FROM again JOIN job ON job.id = job_id WHERE at <= ?", house.clock.now()) == [(0,)]
