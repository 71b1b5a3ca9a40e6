"""What the channels that send HTTPS requests share: the check of the URL, the request, settings."""

import ipaddress
import socket
from collections.abc import Collection, Mapping
from datetime import timedelta
from http import HTTPStatus
from urllib.parse import urlsplit

from connectors.sdk.parse_setting_values import check_and_return_http_url
from connectors.sdk.settings import Setting, SettingType
from connectors.sdk.webhook_and_poll_types import HttpRequest, HttpResponse
from visibility.notify.channel import DeliveryFailed
from visibility.outbound.address_guard import (
    ForbiddenAddress,
    is_url_in_outgoing_allowed,
    resolve_to_allowed_ip_addresses,
)
from visibility.outbound.http_client import OutgoingHttpClient
from visibility.outbound.request_time_and_count_limits import RequestBudget

# A slow receiver must not delay the messages of other subscriptions for long.
MAX_SECONDS = 10.0
MAX_ANSWER_LENGTH = 200
MAX_RETRY_AFTER = timedelta(hours=2)

DETAILS = "details"


def details_setting(*, default: str) -> Setting:
    """Return the setting that says whether messages name customers and values."""
    return Setting(
        DETAILS,
        "Whether messages contain the customer and the value, as far as the person or the team of "
        "this subscription may see them. Everybody who reads the channel sees them.",
        SettingType.BOOLEAN,
        default=default,
        label="Customer and value",
    )


def check_webhook_url(text: str) -> None:
    """Check that a URL has https, or is one that an administrator allows. Raises ValueError.

    An IP address that may not be called is refused here, and each name when it is looked up.
    """
    check_and_return_http_url(text)
    components = urlsplit(text)
    if is_url_in_outgoing_allowed(text):
        return
    if components.scheme != "https":
        raise ValueError(
            "The URL must begin with https://. Without https, an administrator must list its host "
            "and port in OUTGOING_ALLOWED."
        )
    host, port = components.hostname or "", components.port or 443
    if _is_ip_address(host):
        try:
            resolve_to_allowed_ip_addresses(host, port)
        except ForbiddenAddress as error:
            raise ValueError(f"This address is refused: {error}.") from None


def _is_ip_address(host: str) -> bool:
    """Whether a host is an IP address in any form that connections accept, such as `0x7f.1`."""
    try:
        ipaddress.ip_address(host)
    except ValueError:
        try:
            socket.inet_aton(host)
        except OSError:
            return False
    return True


def post_json(
    url: str,
    body: bytes,
    *,
    headers: Mapping[str, str] | None = None,
    seconds: float = MAX_SECONDS,
    permanent: Collection[int] = (HTTPStatus.GONE,),
) -> str:
    """Post a JSON document and return the answer, `202 Accepted.` or so. Raises DeliveryFailed.

    `permanent`: the statuses after which the receiver never accepts a message.
    """
    client = OutgoingHttpClient(RequestBudget(seconds=seconds, requests=1))
    request = HttpRequest(
        "POST", url, headers={**(headers or {}), "content-type": "application/json"}, body=body
    )
    try:
        response = client.send(request)
    except ConnectionError as error:
        raise DeliveryFailed(f"The request failed: {error}") from error
    return answer_if_accepted(response, permanent=permanent)


def answer_if_accepted(
    response: HttpResponse, *, permanent: Collection[int] = (HTTPStatus.GONE,)
) -> str:
    """Return the answer of a receiver that accepted the message: the status is 2xx.

    Raises DeliveryFailed for another status. After those of `permanent` it never will.
    """
    answer = _printable_answer(response)
    if 200 <= response.status < 300:
        return f"{response.status} {answer}".strip()
    raise DeliveryFailed(
        f"The receiver answered with status {response.status}." + (f" {answer}" if answer else ""),
        code=str(response.status),
        retry_after=_retry_after(response),
        is_permanent=response.status in permanent,
    )


def _printable_answer(response: HttpResponse) -> str:
    """The beginning of the body, if it is text for people or JSON; an HTML page says nothing."""
    text = " ".join(response.body[: MAX_ANSWER_LENGTH * 4].decode("utf-8", "replace").split())
    if text.startswith("<") or text in {"", "{}"} or not text.isprintable():
        return ""
    return text[:MAX_ANSWER_LENGTH]


def _retry_after(response: HttpResponse) -> timedelta | None:
    """The seconds of the header Retry-After, up to two hours; a date there is ignored."""
    text = response.headers.get("retry-after", "").strip()
    if not (text.isascii() and text.isdecimal() and len(text) < 9):
        return None
    return min(timedelta(seconds=int(text)), MAX_RETRY_AFTER)
