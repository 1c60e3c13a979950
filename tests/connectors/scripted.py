"""The scripted vendor and what a connector is given: those of the contract suite."""

from syncd.contract.testing.server import Call, Reply, Script, scripted
from syncd.contract.testing.surroundings import DictMemory, StillClock, tools, use

__all__ = ["Call", "DictMemory", "Reply", "Script", "StillClock", "scripted", "tools", "use"]
