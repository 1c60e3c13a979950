"""Salesforce's CRM, emulated: contacts, leads, accounts, SOQL, collections, composite and bulk calls, limits, faults.

Faults (`name[:count[:parameter]]`) are listed in the FAULTS of `line` (connections), `access` (logins, sessions),
`usage` (limits), `schema` (field-level security), `reading` (queries), `saving` (what an update is told), `bulk`.
"""

from syncd.sandbox.faults import register

from . import access, bulk, line, reading, saving, schema, usage
from .access import Keys
from .app import Salesforce, Settings
from .org import Org

for _module in (line, access, usage, schema, reading, saving, bulk):
    register(_module.FAULTS)

__all__ = ["Keys", "Org", "Salesforce", "Settings"]
