"""Who is told what, and when: the pure part."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from syncd.config import Alert, ConditionKind
from syncd.observe import alerts
from syncd.observe.alerts import SETTLE, Key, Message, Told
from syncd.observe.conditions import Condition

HALTED = Condition(kind=ConditionKind.HALTED, who="zeliq", what="is halted", why="no key", cure="give one")
DOUBT = Condition(kind=ConditionKind.IN_DOUBT, who="zeliq", what="has calls in doubt", why="two", blocks=False)
NOON = datetime(2026, 11, 27, 12, tzinfo=UTC).timestamp()
HOUR = 3600.0


class Desk:
    """A target, and the time that passes."""

    def __init__(self, **wishes: object) -> None:
        self.alert = Alert.model_validate({"to": "json://localhost", **wishes})
        self.rows: dict[Key, Told] = {}
        self.now = NOON

    def look(self, *conditions: Condition, after: float = 0.0, keep: tuple[str, ...] = ()) -> Message | None:
        """One look; what is due is taken, unless the hour is quiet."""
        self.now += after
        self.rows = alerts.seen(self.alert, self.rows.values(), conditions, now=self.now, keep=keep)
        message = None if alerts.is_quiet(self.alert, self.now) else alerts.due(self.rows, now=self.now)
        if message is not None:
            self.rows = alerts.sent(self.rows, message, now=self.now)
        return message


def test_it_is_told_once_when_it_has_stood_and_once_when_it_is_over() -> None:
    desk = Desk()
    assert desk.look(HALTED) is None, "what flickers wakes nobody"
    told = desk.look(HALTED, after=SETTLE)
    assert told is not None
    assert told.title == "syncd: zeliq: halted"
    assert "zeliq is halted: no key [halted]\n  → give one" in told.body
    assert [desk.look(HALTED, after=HOUR) for _ in range(30)] == [None] * 30
    assert desk.look(after=HOUR) is None
    over = desk.look(after=SETTLE)
    assert over is not None
    assert over.title == "syncd: zeliq: halted is over"
    assert "2026-11-27 12:00 to 2026-11-28 19:01 UTC" in over.body
    assert desk.look(after=HOUR) is None
    assert desk.rows == {}


def test_what_flickers_is_not_told_again_and_again() -> None:
    desk = Desk()
    desk.look(HALTED)
    assert desk.look(HALTED, after=SETTLE) is not None
    for _ in range(20):
        assert desk.look(after=SETTLE / 3) is None
        assert desk.look(HALTED, after=SETTLE / 3) is None


def test_what_was_over_before_anybody_had_to_be_told_is_forgotten() -> None:
    desk = Desk()
    desk.look(HALTED)
    assert desk.look(after=SETTLE / 2) is None
    assert desk.rows == {}


def test_only_what_a_target_wants_is_told() -> None:
    desk = Desk(on=["in_doubt"])
    desk.look(HALTED, DOUBT)
    told = desk.look(HALTED, DOUBT, after=SETTLE)
    assert told is not None
    assert {key[0] for key in told.keys} == {"in_doubt"}


def test_what_is_only_so_because_syncd_was_started_is_not_told() -> None:
    desk = Desk()
    early = Condition(kind=ConditionKind.GATE, who="syncd", what="buys nothing", why="not yet", starting=True)
    desk.look(early)
    assert desk.look(early, after=HOUR) is None


def test_several_things_are_one_message() -> None:
    desk = Desk()
    desk.look(HALTED, DOUBT)
    told = desk.look(HALTED, DOUBT, after=SETTLE)
    assert told is not None
    assert told.title == "syncd: wrong, or for you: 2"
    assert told.body.count("- ") == 2


def test_quiet_hours_end_with_one_summary_of_what_is_and_what_was() -> None:
    desk = Desk(quiet="22:00-07:00", time_zone="Europe/Paris")
    desk.now = datetime(2026, 11, 27, 22, tzinfo=UTC).timestamp()  # 23:00 in Paris
    assert desk.look(HALTED, DOUBT) is None
    assert desk.look(DOUBT, after=2 * HOUR) is None, "halted came, stood for two hours, and went"
    assert desk.look(DOUBT, after=5.9 * HOUR) is None
    summary = desk.look(DOUBT, after=0.2 * HOUR)
    assert summary is not None
    assert summary.title == "syncd: wrong, or for you: 1, over: 1"
    assert "over by now, 2026-11-27 22:00 to 2026-11-28 00:00 UTC: zeliq is halted" in summary.body
    assert desk.look(DOUBT, after=HOUR) is None


def test_a_start_does_not_take_for_over_what_it_can_not_know_yet() -> None:
    desk = Desk()
    desk.look(HALTED)
    desk.look(HALTED, after=SETTLE)
    for _ in range(5):
        assert desk.look(after=SETTLE, keep=("halted",)) is None
    assert desk.look(HALTED) is None


@pytest.mark.parametrize(
    ("quiet", "hour", "minute", "held"),
    [
        ("22:00-07:00", 21, 59, False),
        ("22:00-07:00", 22, 0, True),
        ("22:00-07:00", 0, 0, True),
        ("22:00-07:00", 6, 59, True),
        ("22:00-07:00", 7, 0, False),
        ("12:00 - 13:30", 13, 29, True),
        ("12:00 - 13:30", 13, 30, False),
        ("12:00 - 13:30", 0, 0, False),
    ],
)
def test_quiet_hours_may_go_over_midnight(quiet: str, hour: int, minute: int, held: bool) -> None:
    moment = datetime(2026, 11, 27, hour, minute, tzinfo=UTC).timestamp()
    assert alerts.is_quiet(Desk(quiet=quiet).alert, moment) is held


@pytest.mark.parametrize("quiet", ["22:00", "25:00-07:00", "22-7", "7:00-7:00", "", 22, None])
def test_what_are_no_hours_is_refused(quiet: object) -> None:
    if quiet is None:
        assert Desk(quiet=None).alert.quiet is None
        return
    with pytest.raises(ValueError, match="hours of the day"):
        Desk(quiet=quiet)
