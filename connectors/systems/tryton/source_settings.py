"""The settings of a Tryton source that its documents are read with."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from connectors.sdk.settings import ParsedSettings


@dataclass(frozen=True, slots=True)
class TrytonSettings:
    """Where order names, dates and channels come from. `zone`: that of dates without a time.

    The fields are those that a module of the company adds to sales; "" for none.
    """

    source: str
    zone: str = "UTC"
    web_orders: str = ""
    web_order_prefix: str = ""
    channel: str = ""
    channels: Mapping[str, str] = field(default_factory=dict)
    channel_field: str = ""
    requested_field: str = ""
    promised_field: str = ""
    hold_field: str = ""

    @classmethod
    def of_source(cls, source: str, settings: ParsedSettings) -> "TrytonSettings":
        """Read the settings of a source. Raises PayloadError."""
        return cls(
            source,
            zone=settings.text("zone"),
            web_orders=settings.text("web_orders"),
            web_order_prefix=settings.text("web_order_prefix"),
            channel=settings.text("channel"),
            channels=settings.values_of_family_by_id("channel."),
            channel_field=settings.text("channel_field"),
            requested_field=settings.text("requested_field"),
            promised_field=settings.text("promised_field"),
            hold_field=settings.text("hold_field"),
        )

    @property
    def own_sale_fields(self) -> tuple[str, ...]:
        """The fields of sales that are read besides those of Tryton's own modules."""
        fields = (self.channel_field, self.requested_field, self.promised_field, self.hold_field)
        return tuple(name for name in fields if name)
