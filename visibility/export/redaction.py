"""Remove prices and personal data from exports for users without the permission."""

from collections.abc import Mapping
from dataclasses import dataclass

from connectors.sdk.events import Attribute

PRICE_ATTRIBUTES = frozenset({Attribute.TOTAL})
# The free text `detail` may contain personal data.
PERSONAL_ATTRIBUTES = frozenset({Attribute.CUSTOMER_NAME, Attribute.DETAIL})


@dataclass(frozen=True, slots=True)
class Redaction:
    """Which restricted attributes an export may contain."""

    prices: bool
    contacts: bool

    @property
    def allowed_attributes(self) -> frozenset[Attribute]:
        """The attributes that may be exported."""
        hidden = (frozenset() if self.prices else PRICE_ATTRIBUTES) | (
            frozenset() if self.contacts else PERSONAL_ATTRIBUTES
        )
        return frozenset(Attribute) - hidden

    @property
    def allows_other_attributes(self) -> bool:
        """Whether attributes without a meaning here are exported: some are prices or names."""
        return self.prices and self.contacts

    def redact_attributes(self, attributes: Mapping[Attribute, str]) -> dict[Attribute, str]:
        """The exportable attributes of these, sorted by name."""
        allowed = self.allowed_attributes
        return {name: text for name, text in sorted(attributes.items()) if name in allowed}


# Exports from the command line are not redacted.
NO_REDACTION = Redaction(prices=True, contacts=True)
