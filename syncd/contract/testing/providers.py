"""The duties of the Provider port, for every provider alike.

`ProviderContract` is for whatever keeps the port's promises, `VendorContract` for a connector to a real vendor, whose
answers nobody can be sure of. Both want a fixture `bench`; no kind of provider is named here.
"""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Iterator
from dataclasses import asdict, replace
from decimal import Decimal
from functools import cache
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from syncd.contract import ports
from syncd.contract.errors import ConnectorError, Garbled, Halt, InDoubt, RateLimited, Retry, Skip, Trouble
from syncd.contract.model import ASKED, Answer, Delivery, Field, Identity, Level, Outcome, Source, Submission
from syncd.contract.ports import Provider, ProviderCapabilities

from .bench import CHARGED, FOUND, KEY, Bench, Vendor
from .samples import ADA, NOBODY, PROFILE, person, request, submission
from .surroundings import use

_SUPPRESSED = [HealthCheck.function_scoped_fixture, HealthCheck.too_slow, HealthCheck.differing_executors]
_FUZZ = settings(max_examples=150, deadline=None, derandomize=True, database=None, suppress_health_check=_SUPPRESSED)
_PARTS = st.fixed_dictionaries(
    {
        "first_name": st.sampled_from([None, "Ada"]),
        "last_name": st.sampled_from([None, "Example"]),
        "full_name": st.sampled_from([None, "Ada Example"]),
        "company": st.sampled_from([None, "Acme"]),
        "domain": st.sampled_from([None, "acme.example.com"]),
        "linkedin_url": st.sampled_from([None, PROFILE]),
        "email": st.sampled_from([None, "ada@acme.example.com"]),
        "country": st.sampled_from([None, "FR"]),
        "employer_country": st.sampled_from([None, "GB"]),
        "emails": st.sampled_from([(), ("ada@acme.example.com", "ada@home.example.net")]),
        "phones": st.sampled_from([(), ("+447700900123",)]),
    }
)


def fields_of(provider: Provider) -> tuple[Field, ...]:
    """What it can be asked for."""
    return tuple(field for field in ASKED if field in provider.capabilities.fields)


def question(provider: Provider) -> Submission:
    """As much as the provider takes at once: several people, all fields, or one of each."""
    able = provider.capabilities
    fields = fields_of(provider) if able.combines else fields_of(provider)[:1]
    people = range(min(able.batch, 3))
    wanted = (request(person(n), fields, id=f"attempt-{n}", contact=str(500 + n)) for n in people)
    return submission(*(replace(one, identity=provider.questions(one)[0].told) for one in wanted))


def submit(bench: Bench, vendor: Vendor) -> ConnectorError:
    """What submit raises; in any case the vendor is called at most once."""
    before = bench.calls()
    with pytest.raises(ConnectorError) as caught:
        use(lambda: bench.provider(vendor), lambda p: p.submit(question(p)))
    assert bench.calls() - before <= 1
    return caught.value


def asked(what: Submission) -> set[tuple[str, Field]]:
    """Every request with each of its fields."""
    return {(r.id, f) for r in what.requests for f in r.fields}


def tolerable(answer: Answer, what: Submission) -> None:
    """Whatever it was read from, an answer can be trusted in its form."""
    keys = [(r.request_id, r.field) for r in answer.results]
    assert len(keys) == len(set(keys))
    assert set(keys) <= asked(what)
    assert not answer.final or set(keys) == asked(what)
    assert answer.charged is None or (answer.charged.is_finite() and answer.charged >= 0)
    assert answer.unmatched >= 0
    for result in answer.results:
        assert (result.outcome is not Outcome.FOUND) or result.candidates
        for candidate in result.candidates:
            assert len(candidate.value.encode("utf-8")) <= 4 * 320


class ProviderContract:
    """What every provider owes, the stand-ins of tests included."""

    @pytest.fixture
    def bench(self) -> Iterator[Bench]:
        raise NotImplementedError("give the contract a fixture `bench`")

    # --- what it says of itself ---------------------------------------------------------------

    def test_class_tells_its_port_options_and_capabilities(self, bench: Bench) -> None:
        kind: Any = type(bench.provider())
        assert kind.port == "provider"
        assert isinstance(kind.capabilities, ProviderCapabilities)
        assert issubclass(kind.Options, ports.Options)
        with pytest.raises(ValidationError) as caught:
            kind.Options.model_validate({**bench.options, "no_such_option": 1})
        assert [error["loc"] for error in caught.value.errors()] == [("no_such_option",)]

    def test_options_hide_the_key(self, bench: Bench) -> None:
        kind: Any = type(bench.provider())
        options = kind.Options.model_validate(bench.options)
        assert KEY not in repr(options)
        assert KEY not in options.model_dump_json()

    def test_capabilities_are_sensible(self, bench: Bench) -> None:
        able = bench.provider().capabilities
        assert able.title
        assert able.inputs
        assert able.fields
        assert able.batch >= 1
        assert set(able.price) == able.fields
        assert all(isinstance(price, Decimal) and price >= 0 for price in able.price.values())
        assert all(window.seconds > 0 and window.limit > 0 for window in able.windows)
        assert able.answer_within > 0
        assert able.body_limit > 0
        assert able.poll_after is None or able.poll_after > 0
        assert able.needs_email_for <= able.fields

    # --- lacks, questions ---------------------------------------------------------------------

    def test_lacks_says_why_or_nothing(self, bench: Bench) -> None:
        provider = bench.provider()
        for field in provider.capabilities.fields:
            assert provider.lacks(request(ADA, (field,))) is None
            assert provider.lacks(request(NOBODY, (field,)))

    @settings(deadline=None, derandomize=True, database=None, suppress_health_check=_SUPPRESSED)
    @given(parts=_PARTS)
    def test_questions_are_there_unless_something_lacks(self, bench: Bench, parts: dict[str, Any]) -> None:
        provider = bench.provider()
        for field in fields_of(provider):
            wanted = request(Identity(**parts), (field,))
            ways = provider.questions(wanted)
            assert (not ways) is (provider.lacks(wanted) is not None)
            assert ways == provider.questions(replace(wanted, id="another"))
            assert len({way.way for way in ways}) == len({way.told for way in ways}) == len(ways)
            for way in ways:
                told = {part: value for part, value in asdict(way.told).items() if value}
                assert told, "a way that tells nothing"
                assert all(parts[part] == value for part, value in told.items())
                assert provider.lacks(replace(wanted, identity=way.told)) is None

    def test_a_known_email_is_enough_where_it_is_said_so(self, bench: Bench) -> None:
        provider = bench.provider()
        for field in provider.capabilities.needs_email_for:
            named = replace(ADA, linkedin_url=None)
            assert provider.lacks(request(named, (field,)))
            assert provider.lacks(request(replace(named, email="ada@acme.example.com"), (field,))) is None

    # --- submit, poll -------------------------------------------------------------------------

    def test_submit_is_one_call(self, bench: Bench) -> None:
        receipt = use(bench.provider, lambda p: p.submit(question(p)))
        assert bench.calls() == 1
        if receipt.body is None:
            assert receipt.provider_id
            assert not bench.provider().capabilities.at_once
            return
        provider = bench.provider()  # it answers at once
        what = question(provider)
        at_once = Delivery(submission_id=what.id, source=Source.RECEIPT, body=receipt.body)
        assert provider.authenticate(at_once)
        answer = provider.parse(at_once, what)
        tolerable(answer, what)
        assert answer.final

    def test_unreachable_means_not_sent(self, bench: Bench) -> None:
        assert type(submit(bench, Vendor.UNREACHABLE)) is Retry

    def test_too_fast_is_told_as_such(self, bench: Bench) -> None:
        assert isinstance(submit(bench, Vendor.LIMITED), RateLimited)

    @pytest.mark.parametrize(
        ("vendor", "trouble"), [(Vendor.BAD_KEY, Trouble.CREDENTIALS), (Vendor.NO_CREDITS, Trouble.CREDITS)]
    )
    def test_account_trouble_halts_with_a_cure_and_without_the_key(
        self, bench: Bench, vendor: Vendor, trouble: Trouble
    ) -> None:
        error = submit(bench, vendor)
        assert isinstance(error, Halt)
        assert error.trouble is trouble
        assert error.cure.endswith(".")
        assert KEY not in f"{error} {error.cure}"

    def test_lost_answer_is_in_doubt(self, bench: Bench) -> None:
        assert isinstance(submit(bench, Vendor.LOST), InDoubt)

    def test_poll_is_refused_where_there_is_nothing_to_poll(self, bench: Bench) -> None:
        provider = bench.provider()
        if provider.capabilities.poll_after is None:
            with pytest.raises(Skip):
                asyncio.run(provider.poll(question(provider)))
        else:
            assert asyncio.run(provider.poll(question(provider))) is None  # no job's id is known yet

    # --- authenticate -------------------------------------------------------------------------

    def test_signature_decides_where_the_vendor_signs(self, bench: Bench) -> None:
        provider = bench.provider()
        good = bench.found(question(provider))
        assert provider.authenticate(good)
        forged = [replace(good, headers={}), replace(good, body=good.body + b" ")]
        forged += [replace(good, headers={name: "0" + value[1:] + "é\udcff"}) for name, value in good.headers.items()]
        assert all(provider.authenticate(one) is not provider.capabilities.signed for one in forged)

    def test_what_we_fetched_needs_no_signature(self, bench: Bench) -> None:
        provider = bench.provider()
        good = bench.found(question(provider))
        assert provider.authenticate(replace(good, source=Source.POLL, headers={}))

    # --- parse --------------------------------------------------------------------------------

    def test_found_values_belong_to_who_was_asked_about(self, bench: Bench) -> None:
        provider = bench.provider()
        what = question(provider)
        answer = provider.parse(bench.found(what), what)
        assert {(r.request_id, r.field) for r in answer.results} == asked(what)
        assert {r.outcome for r in answer.results} == {Outcome.FOUND}
        assert all(r.candidates[0].value == FOUND[r.field] for r in answer.results)
        assert (answer.final, answer.running, answer.unmatched) == (True, False, 0)
        assert answer.charged is not None
        assert answer.charged > 0

    def test_an_answer_says_whom_it_is_about(self, bench: Bench) -> None:
        provider = bench.provider()
        what = question(provider)
        told = {r.id: r.identity for r in what.requests}
        for result in provider.parse(bench.found(what), what).results:
            assert bool(result.said) is provider.capabilities.echoes
            parts = [{part for part, value in asdict(one).items() if value} for one in result.said]
            assert all(parts), "an identity that says nothing"
            ours = asdict(told[result.request_id])
            matched = (asdict(one)[part] == ours[part] for one in result.said for part in ours if ours[part])
            assert any(matched) is provider.capabilities.echoes

    def test_charged_for_nothing_is_never_not_found(self, bench: Bench) -> None:
        provider = bench.provider()
        what = question(provider)
        body = bench.charged_for_nothing(what)
        if body is not None:
            with pytest.raises(Garbled) as caught:
                provider.parse(body, what)
            assert caught.value.charged == CHARGED

    def test_nothing_found_is_an_answer_too(self, bench: Bench) -> None:
        provider = bench.provider()
        what = question(provider)
        answer = provider.parse(bench.nothing(what), what)
        assert {(r.request_id, r.field) for r in answer.results} == asked(what)
        assert {(r.outcome, r.candidates) for r in answer.results} == {(Outcome.NOT_FOUND, ())}
        assert answer.final

    def test_only_asked_fields_are_answered(self, bench: Bench) -> None:
        provider = bench.provider()
        full = question(provider)
        less = replace(full, requests=tuple(replace(r, fields=r.fields[:1]) for r in full.requests))
        answer = provider.parse(bench.found(full), less)
        assert {(r.request_id, r.field) for r in answer.results} == asked(less)

    def test_parse_is_pure(self, bench: Bench) -> None:
        provider = bench.provider()
        what = question(provider)
        assert provider.parse(bench.found(what), what) == provider.parse(bench.found(what), what)
        assert bench.calls() == 0

    # --- balance, check -----------------------------------------------------------------------

    def test_balance_is_a_number_of_credits(self, bench: Bench) -> None:
        left = use(lambda: bench.provider(Vendor.BALANCE), lambda p: p.balance())
        if bench.tells_balance:
            assert isinstance(left, Decimal)
            assert left > 0
        else:
            assert left is None

    def test_check_spends_nothing_and_finds_a_good_connection_good(self, bench: Bench) -> None:
        found = use(lambda: bench.provider(Vendor.BALANCE), lambda p: p.check())
        assert [f.level for f in found] == [Level.OK]

    def test_check_reports_a_bad_key_with_its_cure(self, bench: Bench) -> None:
        found = use(lambda: bench.provider(Vendor.BAD_KEY), lambda p: p.check())
        assert [(f.level, f.trouble) for f in found] == [(Level.ERROR, Trouble.CREDENTIALS)]
        assert all(f.cure and KEY not in f.what for f in found)


class VendorContract(ProviderContract):
    """What a connector owes beside: whatever a vendor sends is an answer, or `Garbled`, and nothing else."""

    def test_check_tells_an_outage_from_a_bad_key(self, bench: Bench) -> None:
        found = use(lambda: bench.provider(Vendor.UNREACHABLE), lambda p: p.check())
        assert [(f.level, f.trouble, f.passing) for f in found] == [(Level.ERROR, None, True)]

    @_FUZZ
    @given(data=st.data())
    def test_parse_of_any_json_is_an_answer_or_garbled(self, bench: Bench, data: st.DataObject) -> None:
        provider = bench.provider()
        what = question(provider)
        own = re.findall(r"\w+", bench.found(what).body.decode("utf-8"))
        said = data.draw(_any_answer(tuple(dict.fromkeys([*bench.words, *own]))))
        _read(provider, json.dumps(said).encode(), what)

    @_FUZZ
    @given(at=st.floats(0, 1, exclude_max=True), put=st.binary(max_size=4), cut=st.integers(0, 12))
    def test_parse_of_a_damaged_answer_is_an_answer_or_garbled(
        self, bench: Bench, at: float, put: bytes, cut: int
    ) -> None:
        provider = bench.provider()
        what = question(provider)
        good = bench.found(what).body
        where = int(at * len(good))
        _read(provider, good[:where] + put + good[where + cut :], what)


@cache
def _any_answer(known: tuple[str, ...]) -> st.SearchStrategy[dict[str, Any]]:
    """JSON of any shape, in the vendor's own words. Kept, for it takes long to make."""
    words = st.sampled_from(known)
    plain = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8)
    inner = st.recursive(
        plain,
        lambda one: st.lists(one, max_size=4) | st.dictionaries(words, one, max_size=6),
        max_leaves=30,
    )
    return st.dictionaries(words, inner, max_size=8)


def _read(provider: Provider, raw: bytes, what: Submission) -> None:
    try:
        answer = provider.parse(Delivery(submission_id=what.id, source=Source.CALLBACK, body=raw), what)
    except Garbled:
        return
    tolerable(answer, what)
