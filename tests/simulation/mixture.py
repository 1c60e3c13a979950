"""The mixture of faults in a history: which there are, and how often, drawn from its seed.

Each history has its own mixture (swarm testing): a fault that is left out lets the others go further.
The chances are of a fault per occasion, far above any real ones, and highest inside the rare windows.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Collection
from dataclasses import dataclass, field

CHANCES: dict[str, float] = {
    # one life of the daemon
    "crash_before_commit": 0.002,
    "crash_after_commit": 0.004,
    "crash_before_call": 0.03,  # the request is on its way, and arrives
    "crash_after_call": 0.04,  # the other side acted, its answer meets nobody
    "crash_in_receipt": 0.04,  # while a callback is being stored
    "crash_after_receipt": 0.03,
    "crash_in_write": 0.08,  # around a write to the CRM
    "disk_full": 0.002,
    "locked": 0.002,
    "slow_commit": 0.02,
    # calls to a provider
    "refused_connection": 0.05,
    "cut_before": 0.05,
    "cut_after": 0.08,  # the provider acted, its answer was lost
    "late_act": 0.04,  # the provider acts after the caller has given up
    "fail_before": 0.03,  # 503, not carried out
    "fail_after": 0.04,  # 502, carried out
    "html": 0.01,
    "bad_gateway": 0.006,  # from now on, for hours: most of all while many calls are made
    "limited": 0.05,
    "timed_out": 0.01,  # 408
    "garbled_receipt": 0.04,
    "slow_answer": 0.05,
    # callbacks
    "lost": 0.08,
    "twice": 0.1,
    "slow": 0.1,
    "very_late": 0.04,
    "early": 0.08,  # before the call is answered
    "unheard": 0.08,
    "garbled": 0.04,
    "forged": 0.1,
    "replayed": 0.08,
    "leaked": 0.02,  # somebody who has seen the address tells of somebody else
    "mute": 0.02,  # the same, without a word about whose value it is
    "after_the_last_word": 0.03,  # the same, about the right person
    "partial": 0.4,  # FullEnrich tells of each contact when it is done
    # what a provider says
    "stranger": 0.03,
    "failed": 0.03,
    "answered_after_all": 0.2,  # of what failed
    "nickname": 0.3,  # of those who have one
    "renamed_profile": 0.06,
    # the CRM
    "edit_before_write": 0.12,
    "edit_after_write": 0.1,
    "clear_before_write": 0.06,
    "opt_out_before_write": 0.03,
    "merge_before_write": 0.02,
    "rename_before_read": 0.008,  # the record is about somebody else when it is read before the write
    "rename_before_write": 0.01,
    "crm_busy": 0.04,
    "crm_halt": 0.004,
    "crm_cut_before": 0.04,
    "crm_cut_after": 0.06,
    "crm_late": 0.03,  # the write lands after the caller has given up
    "crm_slow": 0.05,
}

EVENTS: dict[str, float] = {  # how many begin per day
    "crash": 0.3,
    "restart": 0.1,
    "key_revoked": 0.03,
    "blocked": 0.02,
    "drained": 0.05,
    "web_page": 0.02,
    "outage": 0.05,
    "no_way_in": 0.05,  # callbacks can't reach us
    "key_rotated": 0.03,
    "clock_jump": 0.04,
    "edit": 0.6,
    "clear": 0.2,
    "other_program": 0.1,
    "opt_out": 0.15,
    "merge": 0.08,
    "delete": 0.06,
    "rename": 0.08,
    "reconfigured": 0.3,
    "another_account": 0.03,
    "rule": 0.04,
    "move": 0.1,
    "bounce": 0.1,  # a program clears what we wrote
}


@dataclass(slots=True)
class Mixture:
    """What goes wrong in one history. `active` is False once all faults are switched off."""

    rng: random.Random
    chances: dict[str, float]
    events: dict[str, float]
    active: bool = True
    happened: Counter[str] = field(default_factory=Counter)

    def hit(self, name: str) -> bool:
        """Does it happen now?"""
        if not self.active or self.rng.random() >= self.chances[name]:
            return False
        self.happened[name] += 1
        return True


Draw = Callable[[random.Random], Mixture]


def draw(focus: Collection[str] = (), only: Collection[str] | None = None) -> Draw:
    """How a mixture is drawn: a third of the faults never, the others up to three times their usual chance.

    `focus`: faults that are at their strongest, for a bug that needs several of them at once. `only`: so are
    these, and all others never happen; the world is the same one.
    """

    def drawn(rng: random.Random) -> Mixture:
        none = rng.random() < 0.1 and not focus

        def strength(name: str) -> float:
            usual = 0.0 if none or rng.random() < 0.35 else rng.choice((0.3, 1.0, 1.0, 3.0))
            if only is not None and name not in only:
                return 0.0
            return 5.0 if name in {*focus, *(only or ())} else usual

        chances = {name: min(usual * strength(name), 0.5) for name, usual in CHANCES.items()}
        return Mixture(rng, chances, {name: usual * strength(name) for name, usual in EVENTS.items()})

    return drawn
