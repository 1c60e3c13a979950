"""What an operator does: the same functions behind the commands, the API and the pages.

In here: choosing what is meant, the mark of a chosen set, and carrying it out in the ledger. Not in here: how it is
asked for (`cli`, `web`, `pages`), and what follows from it (`pipeline`).
"""
