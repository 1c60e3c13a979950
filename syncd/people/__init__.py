"""Whose value is it? Pure functions over what is known of people; no vendor, no ledger, no clock.

Three questions, each answered with its reasons as data:

- Are these two records one person?              `evidence`, `groups`
- Is this answer about that contact?             `answers`
- Is this text a usable value?                   `phones`, `emails`, `countries`

What they stand on: `identity` (all that is known of a person), `names`, `profiles`, `employers`, `fillers`, `text`.
Connectors reach what they need through `syncd.contract`.
"""
