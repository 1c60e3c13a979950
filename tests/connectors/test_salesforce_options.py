"""What may be written as an org's `domain`."""

import pytest
from pydantic import ValidationError

from connectors.salesforce.options import Options


def options(domain: str) -> Options:
    return Options.model_validate({"domain": domain, "client_id": "c", "client_secret": "s"})


@pytest.mark.parametrize(
    ("written", "label"),
    [
        ("acme.my", "acme.my"),
        ("acme.my.salesforce.com", "acme.my"),
        ("https://acme.my.salesforce.com/", "acme.my"),
        ("https://acme.lightning.force.com/lightning/page/home", "acme.my"),
        ("https://acme.my.salesforce-setup.com/lightning/setup/SetupOneHome/home", "acme.my"),
        ("HTTPS://Acme--Dev.sandbox.lightning.force.com/one/one.app?x=1#/home", "acme--dev.sandbox.my"),
        ("acme-dev-ed.develop.my.salesforce.com:443", "acme-dev-ed.develop.my"),
    ],
)
def test_c5_what_was_copied_from_a_browser_becomes_the_org_s_my_domain(written: str, label: str) -> None:
    assert options(written).domain == label


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ("acme", "did you mean acme.my?"),
        ("https://acme.salesforce.com", "did you mean acme.my?"),
        ("eu12.salesforce.com", "did you mean eu12.my?"),
        ("acme.example.com", "write it like acme.my"),
        ("https://acme.my.site.com/login", "write it like acme.my"),
        ("https://acme--c.vf.force.com/apex/page", "write it like acme.my"),
        ("user@acme.my", "write it like acme.my"),
        ("", "write it like acme.my"),
        ("ácme.my", "write it like acme.my"),
        ("login", "domain must be the org's My Domain"),
    ],
)
def test_c5_what_is_no_my_domain_is_refused_with_words(written: str, said: str) -> None:
    with pytest.raises(ValidationError) as refused:
        options(written)
    assert said in str(refused.value)
