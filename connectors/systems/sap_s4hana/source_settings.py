"""Settings of a source: the services, the credentials, zones, and number ranges."""

from connectors.sdk.poll_settings import first_poll_setting, page_size_setting
from connectors.sdk.settings import Setting, SettingType

SETTINGS = (
    Setting(
        "base_url",
        "The URL of the services, which ends with /sap/opu/odata/sap. Needed to poll.",
        SettingType.URL,
        label="URL of the services",
    ),
    Setting("user", "The user of basic authentication. Needed to poll without OAuth."),
    Setting("password", "The password of that user.", SettingType.SECRET),
    Setting(
        "token_url",
        "The token URL of OAuth 2.0. Without it, requests have basic authentication.",
        SettingType.URL,
        label="OAuth token URL",
    ),
    Setting("client_id", "The OAuth client id.", label="OAuth client id"),
    Setting(
        "client_secret", "The OAuth client secret.", SettingType.SECRET, label="OAuth client secret"
    ),
    Setting(
        "zone",
        "The IANA time zone of the shipping points, in which SAP dates goods movements.",
        SettingType.ZONE,
        default="UTC",
        label="Time zone of shipping points",
    ),
    Setting(
        "system_zone",
        "The IANA time zone of the SAP system, in which it dates the creation of documents.",
        SettingType.ZONE,
        default="UTC",
        label="Time zone of the system",
    ),
    Setting(
        "purchase_order",
        "What the customer reference of an order contains, such as web_order@shop. Without it, it "
        "is the purchase order number of the customer.",
        SettingType.SCHEME_AT_ISSUER,
        label="Number range of the customer reference",
    ),
    Setting(
        "external_id",
        "What ExternalDocumentID of an order contains, such as web_order@shop. Without it, the "
        "number is only searchable.",
        SettingType.SCHEME_AT_ISSUER,
        label="Number range of the external id",
    ),
    Setting(
        "bill_of_lading_is_tracking",
        "Set to yes if the bill of lading of deliveries is the tracking number of the carrier.",
        SettingType.BOOLEAN,
        label="Bill of lading is the tracking number",
    ),
    first_poll_setting("documents that were not changed since this date or time"),
    page_size_setting("documents", label="Documents per request"),
    Setting(
        "overlap_minutes",
        "How many minutes each poll of orders and billing documents goes back before the last one.",
        SettingType.INTEGER,
        default="10",
        minimum=0,
        maximum=10_080,
        label="Overlap of polls (minutes)",
    ),
)
