"""Settings of an EDIFACT source, parsed once per file."""

from collections.abc import Mapping
from dataclasses import dataclass

from connectors.sdk.events import EventType, IdentifierScheme
from connectors.sdk.settings import ParsedSettings

SKU_QUALIFIERS = "SA,VN,BP,IN,EN,SRV,UP"
# The value of `status.<code>` for a status that is no event.
IGNORED_STATUS = "ignore"


@dataclass(frozen=True, slots=True)
class EdifactSettings:
    """Parsed settings of an EDIFACT source."""

    source: str
    zone: str
    partner: str
    own_ids: frozenset[str]
    customers: Mapping[str, str]
    sku_qualifiers: tuple[str, ...]
    seller_order: tuple[IdentifierScheme, str] | None
    invoice_number: tuple[IdentifierScheme, str] | None
    shipment_number: tuple[IdentifierScheme, str] | None
    carrier_order: tuple[IdentifierScheme, str] | None
    statuses: Mapping[str, str]

    @classmethod
    def parse(cls, settings: ParsedSettings, source: str) -> "EdifactSettings":
        """Read the typed settings. Raises PayloadError if one is invalid."""

        def number_range(name: str) -> tuple[IdentifierScheme, str] | None:
            value = settings.identifier_scheme_and_issuer(name, (IdentifierScheme.REFERENCE, ""))
            return value if value[1] else None

        return cls(
            source=source,
            zone=settings.text("zone"),
            partner=settings.text("partner"),
            own_ids=frozenset(settings.list_of_texts("own")),
            customers=settings.values_of_family_by_id("customer."),
            sku_qualifiers=settings.list_of_texts("sku_qualifiers"),
            seller_order=number_range("seller_order"),
            invoice_number=number_range("invoice_number"),
            shipment_number=number_range("shipment_number"),
            carrier_order=number_range("carrier_order"),
            statuses=settings.values_of_family_by_id("status."),
        )


def check_status(text: str) -> None:
    """Check the value of `status.<code>`. Raises ValueError."""
    known = {event_type.value for event_type in EventType if event_type is not EventType.UNMAPPED}
    if text not in known and text != IGNORED_STATUS:
        raise ValueError(
            f"{text[:40]!r} is neither an event type, such as shipment.delivered, nor "
            f"{IGNORED_STATUS}."
        )
