"""Settings of the Amazon Selling Partner API."""

from connectors.sdk.poll_settings import first_poll_setting
from connectors.sdk.settings import Setting, SettingType

LIST_NAMES = ("orders", "orders_v0", "mcf", "vendor_orders", "vendor_shipments")


def check_lists(text: str) -> None:
    """Raise ValueError for the name of a list that is not known."""
    for name in filter(None, (entry.strip() for entry in text.split(","))):
        if name not in LIST_NAMES:
            raise ValueError(f"{name[:40]!r} is not one of {', '.join(LIST_NAMES)}.")


SETTINGS: tuple[Setting, ...] = (
    Setting(
        "base_url",
        "The endpoint of the region: sellingpartnerapi-na, -eu or -fe.",
        SettingType.URL,
        default="https://sellingpartnerapi-na.amazon.com",
        label="Endpoint",
    ),
    Setting(
        "token_url",
        "The token URL of Login with Amazon.",
        SettingType.URL,
        default="https://api.amazon.com/auth/o2/token",
        label="Token URL",
    ),
    Setting("client_id", "The LWA client id of the application. Needed to poll."),
    Setting("client_secret", "The LWA client secret of the application.", SettingType.SECRET),
    Setting(
        "refresh_token", "The refresh token of the seller's authorization.", SettingType.SECRET
    ),
    Setting(
        "marketplaces",
        "Marketplace ids, comma-separated, such as ATVPDKIKX0DER.",
        default="ATVPDKIKX0DER",
        label="Marketplace ids",
    ),
    Setting(
        "lists",
        "What is polled, comma-separated: orders, orders_v0, mcf, vendor_orders, vendor_shipments.",
        default="orders",
        check=check_lists,
        label="Polled lists",
    ),
    Setting(
        "included_data",
        "Data sets of polled orders. BUYER needs a role for personal data.",
        default="PROCEEDS,CANCELLATION,FULFILLMENT,PACKAGES",
        label="Data sets of orders",
    ),
    first_poll_setting("what changed before this date or time (default: 30 days ago)"),
    Setting(
        "seller_orders",
        "The number range of the seller's own order numbers, such as sales_order@erp.",
        SettingType.SCHEME_AT_ISSUER,
        label="Seller order numbers",
    ),
    Setting(
        "displayable_orders",
        "The number range of displayable order ids of MCF, such as web_order@shop.",
        SettingType.SCHEME_AT_ISSUER,
        label="Displayable order ids",
    ),
    Setting(
        "vendor_customer",
        "The customer number of Amazon in your ERP, for purchase orders of Vendor Central.",
        default="AMAZON",
        label="Customer number of Amazon",
    ),
    Setting("channel", "The name of the sales channel.", default="amazon", label="Sales channel"),
)
