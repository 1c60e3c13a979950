"""Errors named by what to do next. A vendor's own exception never leaves its connector.

SyncdError
├── ConfigError          mend the configuration; nothing was started
├── BrokenInvariant      stop at once (exit 70): going on would make it worse
└── ConnectorError
    ├── Retry            definitely not done: the same again, after `after` seconds
    │   └── RateLimited  … and the vendor told us its limits
    ├── Skip             definitely not done, and never will be for this item
    │   └── Unlisted     … for a reason that the vendor does not document: the item's fault, or everybody's
    ├── Split            a batch was refused and nothing says which item is at fault: halve it
    ├── InDoubt          may have been done: never send it again by itself
    ├── Halt             the whole connection stops until a person (or a probe) says otherwise
    ├── Unusable         one selection can't be worked on; the connection's others go on
    └── Garbled          an answer that cannot be read: keep it, tell a person
"""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from enum import StrEnum

from .pacing import Window


class SyncdError(Exception):
    """Anything that syncd says on purpose. Its text is for people: no secrets, no personal data."""


class BrokenInvariant(SyncdError):
    """An assertion about our own state failed."""


class ConfigError(SyncdError):
    """The configuration can't be used. `problems` is one line each, with place and cure."""

    def __init__(self, problems: Sequence[str]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(self.problems))


class ConnectorError(SyncdError):
    """The root of what a connector may raise."""


class Retry(ConnectorError):
    """Not accepted, nothing spent, nothing written. `after`: seconds to wait, None if not told."""

    def __init__(self, message: str, *, after: float | None = None) -> None:
        self.after = after
        super().__init__(message)


class RateLimited(Retry):
    """Refused for being too fast. `windows` are the limits that the vendor told, if it did."""

    def __init__(self, message: str, *, after: float | None = None, windows: Sequence[Window] = ()) -> None:
        self.windows = tuple(windows)
        super().__init__(message, after=after)


class Skip(ConnectorError):
    """This item is refused for good; the message says why in the vendor's own terms."""


class Unlisted(Skip):
    """Refused, nothing spent, and nothing documented says whether the item is at fault or every call is.

    `kind` names the refusal the same way each time (status and code, nothing of the item): when different items meet
    the same one in a row, the connection is halted, and `cure` says what a person should do then.
    """

    def __init__(self, message: str, *, kind: str, cure: str) -> None:
        self.kind = kind
        self.cure = cure
        super().__init__(message)


class Split(ConnectorError):
    """A batch was refused as a whole, nothing was done, and the culprit is not known."""


class InDoubt(ConnectorError):
    """A call that may have been carried out, although its answer was lost."""


class Trouble(StrEnum):
    """Why a connection is halted; decides what can lift it."""

    CREDENTIALS = "credentials"  # lifted when a check passes
    CREDITS = "credits"  # lifted when the balance is above zero
    BLOCKED = "blocked"  # the vendor locked the account: lifted when a check passes
    MISCONFIGURED = "misconfigured"  # our request is wrong in a way that no retry mends
    UNREACHABLE = "unreachable"  # callbacks can't reach us: lifted when one does
    ACCOUNT = "account"  # the key is another account's: lifted when the former account answers again


class Halt(ConnectorError):
    """Stop using the whole connection. `cure` says in one sentence what a person should do."""

    def __init__(self, message: str, *, trouble: Trouble, cure: str) -> None:
        self.trouble = trouble
        self.cure = cure
        super().__init__(message)


class Unusable(ConnectorError):
    """One selection of a CRM can't be worked on, because a property that it names is not there (any more): nothing
    was done, and the connection's other selections are not concerned. `cure` is one sentence for a person."""

    def __init__(self, message: str, *, cure: str) -> None:
        self.cure = cure
        super().__init__(message)


class Garbled(ConnectorError):
    """A body that is not what the vendor documents, or that can't be believed.

    `charged`: credits that it says were charged, where it does: a paid answer is set aside loudly.
    """

    def __init__(self, message: str, *, charged: Decimal | None = None) -> None:
        self.charged = charged
        super().__init__(message)
