"""The settings of an X12 source, read once for a file."""

from collections.abc import Mapping
from dataclasses import dataclass

from connectors.sdk.events import Scheme, issued
from connectors.sdk.payload import PayloadError, Reason

SKU_QUALIFIERS = "VN,VP,BP,CB,SK,UP,UA,EN,UK,IN"


@dataclass(frozen=True, slots=True)
class Profile:
    """The settings of the source, as the sets need them."""

    source: str
    zone: str
    partner: str
    own: frozenset[str]
    customers: Mapping[str, str]
    sku_qualifiers: tuple[str, ...]
    depositor_order: tuple[Scheme, str]
    seller_order: tuple[Scheme, str] | None
    invoice_number: tuple[Scheme, str] | None

    @classmethod
    def of(cls, config: Mapping[str, str], source: str) -> "Profile":
        """The settings as they stand. Raises PayloadError where one makes no sense."""
        own_number = (Scheme.ORDER_NUMBER, source)
        try:
            depositor = issued(config.get("depositor_order", ""), own_number)
            seller = issued(config.get("seller_order", ""), own_number)
            invoice = issued(config.get("invoice_number", ""), (Scheme.INVOICE, source))
        except ValueError as error:
            raise PayloadError(Reason.MAPPING, "settings", str(error)) from None
        return cls(
            source=source,
            zone=config.get("zone") or "UTC",
            partner=config.get("partner", "").strip(),
            own=frozenset(filter(None, (i.strip() for i in config.get("own", "").split(",")))),
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
