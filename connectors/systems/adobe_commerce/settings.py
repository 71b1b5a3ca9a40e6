"""Settings of Adobe Commerce."""

from connectors.sdk.parse_setting_values import check_slug
from connectors.sdk.poll_settings import first_poll_setting, page_size_setting
from connectors.sdk.settings import Setting, SettingType

SETTINGS: tuple[Setting, ...] = (
    Setting(
        "base_url",
        "The URL of the REST API, such as https://shop.example.com/rest/all/V1. Needed to poll.",
        SettingType.URL,
        label="API URL",
    ),
    Setting("consumer_key", "The consumer key of the integration.", label="Consumer key"),
    Setting("consumer_secret", "The consumer secret of the integration.", SettingType.SECRET),
    Setting(
        "access_token",
        "The access token of the integration. Without a consumer key it is sent as bearer token.",
        SettingType.SECRET,
    ),
    Setting("access_token_secret", "The access token secret.", SettingType.SECRET),
    Setting(
        "token_url",
        "The OAuth token URL of the edition as a cloud service.",
        SettingType.URL,
        default="https://ims-na1.adobelogin.com/ims/token/v3",
        label="OAuth token URL",
    ),
    Setting("client_id", "The OAuth client id of the edition as a cloud service."),
    Setting(
        "client_secret",
        "The OAuth client secret of the edition as a cloud service.",
        SettingType.SECRET,
    ),
    Setting(
        "scope",
        "The OAuth scopes of the edition as a cloud service.",
        default="openid,AdobeID,email,additional_info.projectedProductContext,profile,"
        "commerce.accs",
        label="OAuth scope",
    ),
    page_size_setting(maximum=300),
    first_poll_setting(),
    Setting(
        "bundles",
        "How the shop ships bundle products: as one item, or their items separately.",
        SettingType.CHOICE,
        default="together",
        choices=("together", "separately"),
        label="Bundle products ship",
    ),
    Setting(
        "erp",
        "The source whose order numbers are in ext_order_id.",
        SettingType.SOURCE,
        check=check_slug,
        label="ERP",
    ),
    Setting("channel", "The name of the sales channel.", default="web", label="Sales channel"),
)
