"""Settings of Shopify."""

import re

from connectors.sdk.poll_settings import first_poll_setting
from connectors.sdk.settings import Setting, SettingType


def check_api_version(text: str) -> None:
    """Raise ValueError unless the text is a version of the Admin API."""
    if not re.fullmatch(r"20\d\d-(01|04|07|10)|unstable", text):
        raise ValueError(f"{text[:20]!r} is not a version such as 2026-07.")


SETTINGS: tuple[Setting, ...] = (
    Setting(
        "test_traffic",
        "Set to yes to also process orders and refunds marked as test.",
        SettingType.BOOLEAN,
        label="Process test orders",
    ),
    Setting(
        "channel",
        "The name of the sales channel.",
        default="web",
        label="Sales channel",
    ),
    Setting(
        "customer_attribute",
        "The note attribute that contains the customer number of the ERP.",
        label="Note attribute with the customer number",
    ),
    Setting(
        "zone",
        "The IANA time zone of times without an offset. Without it they are rejected.",
        SettingType.ZONE,
        label="Time zone",
    ),
    Setting(
        "base_url",
        "The URL of the shop, such as https://example.myshopify.com. Needed to poll.",
        SettingType.URL,
        label="URL of the shop",
    ),
    Setting(
        "access_token",
        "The Admin API access token of a custom app (shpat_...). Needed to poll, or a client id.",
        SettingType.SECRET,
        label="Admin API access token",
    ),
    Setting("client_id", "The client id of an app of the Dev Dashboard."),
    Setting("client_secret", "The client secret of that app.", SettingType.SECRET),
    Setting(
        "api_version",
        "The version of the Admin API. Each version lives for a year.",
        default="2026-07",
        check=check_api_version,
        label="API version",
    ),
    Setting(
        "customer_names",
        "Set to no if the app may not read names of customers; the poll fails then.",
        SettingType.BOOLEAN,
        default="yes",
        label="Read names of customers",
    ),
    first_poll_setting("orders that did not change after this date or time"),
)
