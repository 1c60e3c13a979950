"""The memory: one SQLite file that knows every step, and the only SQL in the house.

`states` decides which moves exist, `queries.sql` holds the statements, `store` the file and its one
writer; the other modules are what may be done in one transaction, by concern. Nothing here calls a
vendor, reads a clock or rolls a die: time, ids and decisions come in as arguments.
"""
