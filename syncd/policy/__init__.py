"""The decisions, pure: whom to ask, what to accept, whether to write, whose answer it is.

What lives here: functions over facts, the operator's policy and time. What does not: SQL, calls, clocks.
"""
