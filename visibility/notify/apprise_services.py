"""The services of Apprise that can be used here, each sent with the guarded client.

Apprise is optional, and nothing here is imported before a URL is entered. A service is listed only
after a review of its module in Apprise 2.3: it must send with `requests` alone, which is replaced,
and must not read files of this server. `test_apprise_services.py` checks both.
"""

import importlib
import logging
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib import metadata
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

from django.conf import settings

from visibility.notify.check_and_encrypt_channel_settings import HIDDEN
from visibility.notify.post_to_receiver import check_webhook_url
from visibility.outbound.guarded_requests_module import send_with_guard

PACKAGE = "apprise"
REVIEWED_VERSION = "2.3"
# As the extra `apprise` of pyproject.toml. The package `throughline` of PyPI is another project.
INSTALL = "pip install 'apprise>=2.3,<2.4'"
# Schemes of URLs, by the module of Apprise.
SCHEMES_BY_MODULE: Mapping[str, Sequence[str]] = {
    "betterstack": ("betterstack",),
    "clicksend": ("clicksend",),
    "custom_form": ("form", "forms"),
    "custom_json": ("json", "jsons"),
    "custom_xml": ("xml", "xmls"),
    "discord": ("discord",),
    "goalert": ("goalert", "goalerts"),
    "google_chat": ("gchat",),
    "gotify": ("gotify", "gotifys"),
    "home_assistant": ("hassio", "hassios"),
    "ilert": ("ilert",),
    "incidentio": ("incidentio",),
    "mattermost": ("mmost", "mmosts"),
    "messagebird": ("msgbird",),
    "nextcloudtalk": ("nctalk", "nctalks"),
    "ntfy": ("ntfy", "ntfys"),
    "opsgenie": ("opsgenie",),
    "pagertree": ("pagertree",),
    "plivo": ("plivo",),
    "prowl": ("prowl",),
    "pushbullet": ("pbul",),
    "pushover": ("pover",),
    "rocketchat": ("rocket", "rockets"),
    "signal_api": ("signal", "signals"),
    "signl4": ("signl4",),
    "sinch": ("sinch",),
    "spike": ("spike",),
    "splunk": ("splunk", "victorops"),
    "squadcast": ("squadcast",),
    "synology": ("synology", "synologys"),
    "telegram": ("tgram",),
    "telnyx": ("telnyx",),
    "threema": ("threema",),
    "twilio": ("twilio",),
    "vonage": ("vonage", "nexmo"),
    "webexteams": ("wxteams", "webex"),
    "zulip": ("zulip",),
}
MODULE_BY_SCHEME = {scheme: name for name, all_of in SCHEMES_BY_MODULE.items() for scheme in all_of}
# Parameters that name a file or a URL whose content would be sent.
FILE_PARAMETERS = frozenset({"template", "attach"})
MIN_HIDDEN_LENGTH = 6


@dataclass(frozen=True, slots=True)
class AppriseService:
    """A service with its settings. `target`: an object of Apprise that sends.

    `host`: the server that was entered; empty if the URL consists of tokens.
    """

    title: str
    target: Any
    host: str

    @property
    def max_text_length(self) -> int:
        """How long a text may be, title included, so that nothing is cut after it is escaped."""
        return int(self.target.body_maxlen * 0.7)


def installed_version() -> str:
    """The version of Apprise; empty if it is not installed."""
    try:
        return metadata.version(PACKAGE)
    except metadata.PackageNotFoundError:
        return ""


def not_installed_sentence() -> str:
    """Why Apprise cannot be used, and how to install it; empty if it can."""
    version = installed_version()
    if not version:
        return f"Apprise is not installed. Run {INSTALL} on the server, and restart."
    if not version.startswith(f"{REVIEWED_VERSION}."):
        return (
            f"Apprise {version} is installed, but {REVIEWED_VERSION} is needed. Run {INSTALL} on "
            "the server, and restart."
        )
    return ""


def check_apprise_url(text: str) -> None:
    """Check a URL. Raises ValueError with a sentence that does not contain it."""
    service = open_service(text)
    if len(service.target) > 1:
        raise ValueError("Enter one recipient, and a subscription for each further one.")
    if service.host:
        scheme = "https" if service.target.secure else "http"
        port = f":{service.target.port}" if service.target.port else ""
        host = f"[{service.host}]" if ":" in service.host else service.host
        check_webhook_url(f"{scheme}://{host}{port}/")


def open_service(url: str) -> AppriseService:
    """Return the service of a URL. Raises ValueError with a sentence that does not contain it."""
    missing = not_installed_sentence()
    if missing:
        raise ValueError(missing)
    scheme = url.partition("://")[0].strip().lower()
    if "://" not in url or scheme not in MODULE_BY_SCHEME:
        raise ValueError(f"The URL must begin with one of {', '.join(MODULE_BY_SCHEME)}, and ://.")
    kind = _load_service_class(scheme)
    title = str(kind.service_name)
    wrong = ValueError(f"This is no URL of {title}. See {kind.setup_url}.")
    if not url.isprintable():
        raise wrong
    try:
        results = kind.parse_url(url) or {}
    except Exception:  # its text may contain the secret
        raise wrong from None
    if not results:
        raise wrong
    file_names = FILE_PARAMETERS & {name.lower() for name in results["qsd"]}
    if file_names:
        names = " and ".join(sorted(file_names))
        raise ValueError(f"Remove {names} from the URL: files of this server are not sent.")
    try:
        target = kind(**results, asset=_asset())
    except Exception:  # as above
        raise wrong from None
    # It would sleep between requests, and as long as a server asks.
    target.throttle = lambda *_, **__: None
    return AppriseService(title, target, _entered_host(target))


def send_text(service: AppriseService, *, title: str, text: str, kind: str) -> bool:
    """Send a plain text in a `guarded_exchange`; return whether Apprise counts it as accepted.

    `kind`: info, warning or failure. What is too long is cut.
    """
    is_accepted: bool = service.target.notify(
        body=text, title=title, notify_type=kind, body_format="text", overflow="truncate"
    )
    return is_accepted


def hide_url_components(text: str, url: str, *, shown: str) -> str:
    """Hide the tokens of a URL in an answer, which a server may repeat. `shown`: what is none."""
    components = urlsplit(url)
    values = {
        url,
        *components.netloc.replace("@", ":").split(":"),
        *components.path.split("/"),
        *(value for _, value in parse_qsl(components.query)),
    }
    values |= set(map(unquote, values))
    for value in sorted(values - {shown}, key=len, reverse=True):
        text = text.replace(value, HIDDEN) if len(value) >= MIN_HIDDEN_LENGTH else text
    return text


@cache
def _load_service_class(scheme: str) -> Any:
    """Import the class of a scheme, and let every module of Apprise send with the guard."""
    # Its warnings and debug texts contain URLs with secrets.
    logging.getLogger(PACKAGE).disabled = True
    module = importlib.import_module(f"{PACKAGE}.plugins.{MODULE_BY_SCHEME[scheme]}")
    send_with_guard(module)
    for name, other in list(sys.modules.items()):
        if name.startswith(f"{PACKAGE}.") and "requests" in vars(other):
            send_with_guard(other)
    base = importlib.import_module(f"{PACKAGE}.plugins.base").NotifyBase
    (kind,) = (
        item
        for item in vars(module).values()
        if isinstance(item, type)
        and issubclass(item, base)
        and item.__module__ == module.__name__
        and scheme in schemes_of(item)
    )
    return kind


def schemes_of(kind: Any) -> set[str]:
    """The schemes of the URLs of a class of Apprise, which declares none, one or several."""
    declared = (kind.protocol, kind.secure_protocol)
    return {
        scheme
        for names in declared
        for scheme in ([names] if isinstance(names, str) else names or ())
    }


@cache
def _asset() -> Any:
    """The settings of Apprise: no files of its own, and no links to its pictures."""
    asset = importlib.import_module(f"{PACKAGE}.asset").AppriseAsset
    return asset(
        app_id="Throughline",
        app_desc="Throughline",
        app_url=settings.PUBLIC_URL,
        image_url_mask="",
        image_url_logo="",
        storage_mode="memory",
        http_redirects=False,
    )


def _entered_host(target: Any) -> str:
    """The server that a URL names, such as one of your own; empty if it consists of tokens."""
    host = str(target.host or "")
    has_host = ["{host}" in template for template in target.templates]
    return host if all(has_host) or (any(has_host) and ("." in host or ":" in host)) else ""
