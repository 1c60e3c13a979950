"""The stages: pull, plan, dispatch, inbox, sweep, verify, writeback, undo. One file per stage.

Each stage is `claim → act → advance` over the ledger, may be killed at any instruction and run again,
and calls no other stage: they share nothing but the ledger. `parts` is what they are given; `choose` and `address`
are pure.
"""
