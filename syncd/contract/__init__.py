"""The porch: all that the author of a connector reads, and all that a connector may import.

What lives here: the words (`model`), the two ports (`ports`), the errors (`errors`), the one HTTP
recipe (`http`), pacing (`pacing`), one form for names, hosts and profiles (`normal`), and reading what a
vendor sent without trusting it (`reading`).
What does not: anything that knows a vendor, a table or a stage.
"""
