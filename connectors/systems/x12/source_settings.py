"""Settings of an X12 source, parsed once per file."""

from collections.abc import Mapping
from dataclasses import dataclass

from connectors.sdk.events import IdentifierScheme
from connectors.sdk.settings import ParsedSettings

SKU_QUALIFIERS = "VN,VP,BP,CB,SK,UP,UA,EN,UK,IN"


@dataclass(frozen=True, slots=True)
class X12Settings:
    """Parsed settings of an X12 source."""

    source: str
    zone: str
    partner: str
    own_ids: frozenset[str]
    customers: Mapping[str, str]
    sku_qualifiers: tuple[str, ...]
    depositor_order: tuple[IdentifierScheme, str]
    seller_order: tuple[IdentifierScheme, str] | None
    invoice_number: tuple[IdentifierScheme, str] | None
    carrier_order: tuple[IdentifierScheme, str] | None
    carrier_shipment: tuple[IdentifierScheme, str]

    @classmethod
    def parse(cls, settings: ParsedSettings, source: str) -> "X12Settings":
        """Read the typed settings. Raises PayloadError if one is invalid."""
        unset = (IdentifierScheme.ORDER_NUMBER, "")
        seller = settings.identifier_scheme_and_issuer("seller_order", unset)
        depositor = settings.identifier_scheme_and_issuer("depositor_order", unset)
        carrier_order = settings.identifier_scheme_and_issuer("carrier_order", depositor)
        invoice = settings.identifier_scheme_and_issuer("invoice_number", unset)
        return cls(
            source=source,
            zone=settings.text("zone"),
            partner=settings.text("partner"),
            own_ids=frozenset(settings.list_of_texts("own")),
            customers=settings.values_of_family_by_id("customer."),
            sku_qualifiers=settings.list_of_texts("sku_qualifiers"),
            depositor_order=settings.identifier_scheme_and_issuer(
                "depositor_order", (IdentifierScheme.ORDER_NUMBER, source)
            ),
            seller_order=seller if seller[1] else None,
            invoice_number=invoice if invoice[1] else None,
            carrier_order=carrier_order if carrier_order[1] else None,
            carrier_shipment=settings.identifier_scheme_and_issuer(
                "carrier_shipment", (IdentifierScheme.SHIPMENT, source)
            ),
        )
