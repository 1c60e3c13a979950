"""The ledger: one SQLite file that holds every step, and all SQL of the project.

`states` decides which moves exist, `queries.sql` holds the statements, `store` the file and its one
writer; the other modules are what may be done in one transaction, by concern. Nothing here calls a
vendor or reads a clock: time, ids and decisions come in as arguments.
"""
