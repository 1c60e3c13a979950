"""The operator's pages: HTML made by the server, which shows and does what the commands show and do.

Imported by the first page that is asked for (but for `sessions`): an idle daemon does without Jinja.
"""
