"""Made-up people and questions about them: those of the contract suite."""

from syncd.contract.testing.samples import (
    ADA,
    BOTH,
    BY_COMPANY,
    BY_MAIL,
    BY_NAME,
    CALLBACK,
    EMAIL,
    EVENTS,
    NOBODY,
    PHONE,
    PROFILE,
    delivery,
    person,
    request,
    several,
    submission,
)

__all__ = [
    "ADA",
    "BOTH",
    "BY_COMPANY",
    "BY_MAIL",
    "BY_NAME",
    "CALLBACK",
    "EMAIL",
    "EVENTS",
    "NOBODY",
    "PHONE",
    "PROFILE",
    "delivery",
    "person",
    "request",
    "several",
    "submission",
]
