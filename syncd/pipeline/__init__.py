"""The work: pull, plan, dispatch, inbox, sweep, verify, writeback. One file per stage.

Each stage is `claim → act → advance` over the ledger, may die at any instruction and be run again,
and calls no other stage: they meet only in the ledger. `parts` is what they are given, `address`,
`values` and `decide` are pure words that they share.
"""
