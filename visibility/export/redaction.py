"""What of an event may go into a file: prices and words about people only for those who may."""

from collections.abc import Mapping
from dataclasses import dataclass

from connectors.sdk.events import Attribute

MONEY = frozenset({Attribute.TOTAL})
# Free text may name a person.
PEOPLE = frozenset({Attribute.CUSTOMER_NAME, Attribute.DETAIL})


@dataclass(frozen=True, slots=True)
class Sight:
    """The rights of whoever the file is for."""

    prices: bool
    contacts: bool

    @property
    def attributes(self) -> frozenset[Attribute]:
        """The attributes they may read."""
        hidden = (frozenset() if self.prices else MONEY) | (
            frozenset() if self.contacts else PEOPLE
        )
        return frozenset(Attribute) - hidden

    def of(self, told: Mapping[Attribute, str]) -> dict[Attribute, str]:
        """What they may read of these."""
        allowed = self.attributes
        return {name: text for name, text in sorted(told.items()) if name in allowed}


# Who works on the machine itself sees everything.
EVERYTHING = Sight(prices=True, contacts=True)
