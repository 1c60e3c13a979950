"""What it costs, and what it may cost: `make bench`. Bars stand in `bars`; each benchmark is a module with a `measure`.

The daemon under test is the real `syncd run`; the vendors are emulated in a process of their own, whose cost counts for
nobody; `bare` is the script that it is compared with.
"""
