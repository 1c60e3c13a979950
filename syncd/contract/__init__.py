"""The contract: all that the author of a connector reads, and all that a connector may import.

Here are: the words (`model`), the two ports (`ports`), the errors (`errors`), the one HTTP
recipe (`http`), pacing (`pacing`), one form for names, hosts and profiles (`normal`), and reading what a
vendor sent without trusting it (`reading`).
Not here: anything that knows a vendor, a table or a stage.
"""
