"""Which properties of a CRM's schema are proposed for which fields."""

from __future__ import annotations

from syncd.contract.model import Field, FieldMap
from syncd.contract.schema import Property, mapped

USUAL = {
    Field.EMAIL: FieldMap(property="email"),
    Field.PHONE: FieldMap(property="phone", also=("mobilephone", "fax")),
    Field.MOBILE: FieldMap(property="mobilephone"),
}


def given(name: str, label: str = "", *, writable: bool = True) -> Property:
    """A property that every customer has."""
    return Property(name=name, label=label, writable=writable, own=False)


def own(name: str, label: str = "", *, writable: bool = True) -> Property:
    """One that the customer has made."""
    return Property(name=name, label=label, writable=writable, own=True)


PLAIN = (given("email"), given("phone"), given("mobilephone"))


def test_the_usual_properties_are_taken_where_they_are() -> None:
    assert mapped(PLAIN, USUAL) == {
        Field.EMAIL: FieldMap(property="email"),
        Field.PHONE: FieldMap(property="phone", also=("mobilephone",)),
        Field.MOBILE: FieldMap(property="mobilephone"),
    }


def test_what_a_customer_has_made_for_it_counts_as_having_one() -> None:
    more = (own("private_email"), own("x1", "Second e-mail"), own("Direct_Phone__c"), own("email_domain"), own("hotel"))
    found = mapped((*PLAIN, *more), USUAL)
    assert found[Field.EMAIL] == FieldMap(property="email", also=("private_email", "x1"))
    assert found[Field.PHONE].also == ("mobilephone", "Direct_Phone__c")


def test_a_property_that_nobody_may_write_is_replaced_by_one_that_says_so_or_left_out() -> None:
    closed = (given("email", writable=False), own("work_email"), given("phone", writable=False))
    assert mapped(closed, USUAL) == {Field.EMAIL: FieldMap(property="work_email", also=("email",))}


def test_profiles_are_found_by_name_and_count_for_nothing_else() -> None:
    found = mapped((*PLAIN, own("li_url", "LinkedIn profile"), given("linkedinbio", "LinkedIn Bio")), USUAL)
    assert found[Field.LINKEDIN] == FieldMap(property="li_url")
