"""All that is known of a person, from a CRM or from an answer."""

from __future__ import annotations

from syncd.frozen import frozen


@frozen(kw_only=True)
class Identity:
    """Blank is None (or an empty tuple), never an empty string.

    `full_name` is only used where a source has no separate names. `emails` and `phones` are all mailboxes and
    numbers that the record holds as this person's, in whatever property; `email` is the one a provider may be told.
    `title` proves nothing: it is only ever written on.
    """

    first_name: str | None = None
    last_name: str | None = None
    full_name: str | None = None
    company: str | None = None
    domain: str | None = None  # the employer's host name, without scheme and www
    linkedin_url: str | None = None
    email: str | None = None
    country: str | None = None  # as the source holds it: a name or an ISO 3166 code
    employer_country: str | None = None  # the same, of the company
    title: str | None = None  # of the job, as an answer tells it
    emails: tuple[str, ...] = ()
    phones: tuple[str, ...] = ()
    shared: tuple[str, ...] = ()  # profiles and mailboxes of the record that identify nobody; neither told nor proof
    others: tuple[str, ...] = ()  # what else identifies the person, each as `kind:value`, such as a number of the CRM


BLANK = Identity()
