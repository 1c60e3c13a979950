"""The decisions, pure: whom to ask, what to accept, whether to write, whose answer it is.

Here are: functions over facts, the operator's policy and time. Not here: SQL, calls, clocks.
"""
