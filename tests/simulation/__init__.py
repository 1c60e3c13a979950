"""The deterministic simulation: the real stages, ledger, receiver and connectors in a made-up world.

One seed is one history. `python -m tests.simulation --seed 17 --days 30 -v` replays it.
"""
