"""A CRM that keeps people on cards."""

from typing import ClassVar

from pydantic import SecretStr

from syncd.contract import ports
from syncd.contract.model import Field, FieldMap
from syncd.contract.ports import CrmCapabilities, Tools

PEOPLE = {
    Field.EMAIL: FieldMap(property="email", also=("work_email",)),
    Field.PHONE: FieldMap(property="phone", also=("mobile",)),
}


class CardOptions(ports.Options):
    """The settings of a card box."""

    access_token: SecretStr
    drawer: int = 1


class Connector:
    """Does nothing but say what it is."""

    port = "crm"
    Options = CardOptions
    capabilities: ClassVar[CrmCapabilities] = CrmCapabilities(
        title="Cards",
        objects={"people": PEOPLE, "leads": {Field.EMAIL: FieldMap(property="mail")}},
        read_batch=10,
        write_batch=10,
        history=True,
        conditional_write=True,
    )

    def __init__(self, name: str, options: CardOptions, base_url: str | None, tools: Tools) -> None:
        self.name = name
        self.options = options
        self.base_url = base_url
        self.tools = tools
