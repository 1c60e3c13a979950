"""HubSpot's CRM, emulated: contacts, companies, properties, searches, limits, histories, faults.

Faults (`name[:count[:parameter]]`) are listed in `line.FAULTS` (calls and connections) and `writing.FAULTS`
(what an update is told).
"""

from syncd.sandbox.faults import register

from . import line, writing
from .access import ALL_SCOPES, OAuthApp, Token
from .app import HubSpot
from .portal import Portal

register(line.FAULTS)
register(writing.FAULTS)

__all__ = ["ALL_SCOPES", "HubSpot", "OAuthApp", "Portal", "Token"]
