"""Emulated vendors on loopback, for `syncd demo`, `syncd sandbox` and the tests.

Nothing here imports the rest of syncd: the shapes come from the vendors' own documents, so that a
mistake of the client is not repeated by what it is tried against.
"""
