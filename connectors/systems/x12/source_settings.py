"""Settings of an X12 source, parsed once per file."""

from collections.abc import Mapping
from dataclasses import dataclass

from connectors.sdk.events import IdentifierScheme
from connectors.sdk.identifier_parsing import parse_scheme_and_issuer
from connectors.sdk.payload import ParkReason, PayloadError

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

    @classmethod
    def parse(cls, config: Mapping[str, str], source: str) -> "X12Settings":
        """Parse the settings. Raises PayloadError if one is invalid."""
        own_number = (IdentifierScheme.ORDER_NUMBER, source)
        try:
            depositor = parse_scheme_and_issuer(config.get("depositor_order", ""), own_number)
            seller = parse_scheme_and_issuer(config.get("seller_order", ""), own_number)
            invoice = parse_scheme_and_issuer(
                config.get("invoice_number", ""), (IdentifierScheme.INVOICE, source)
            )
        except ValueError as error:
            raise PayloadError(ParkReason.MAPPING, "settings", str(error)) from None
        return cls(
            source=source,
            zone=config.get("zone") or "UTC",
            partner=config.get("partner", "").strip(),
            own_ids=frozenset(filter(None, (i.strip() for i in config.get("own", "").split(",")))),
            customers={
                name.removeprefix("customer."): text.strip()
                for name, text in config.items()
                if name.startswith("customer.")
            },
            sku_qualifiers=tuple(
                q.strip() for q in (config.get("sku_qualifiers") or SKU_QUALIFIERS).split(",")
            ),
            depositor_order=depositor,
            seller_order=seller if config.get("seller_order") else None,
            invoice_number=invoice if config.get("invoice_number") else None,
        )
