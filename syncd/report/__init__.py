"""`syncd report`: what was asked, found, written and paid, as figures, a league table, and a page. Pure.

In here: from the ledger's daily figures to what is shown, the same for the command and for `GET /api/report`.
Not in here: counting (`ledger/daily`).
"""
