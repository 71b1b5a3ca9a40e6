"""Apprise: many notification services, through the optional package (appriseit.com)."""

import re
from typing import ClassVar

from connectors.sdk.settings import ParsedSettings, Setting, SettingType
from visibility.models.rules_clocks_and_calendars import Severity
from visibility.notify.apprise_services import (
    AppriseService,
    check_apprise_url,
    hide_url_components,
    not_installed_sentence,
    open_service,
    send_text,
)
from visibility.notify.channel import AlertSummary, Channel, DeliveryFailed, OutgoingMessage
from visibility.notify.message_facts import (
    list_alert_facts,
    short_alert_line,
    title_with_order,
)
from visibility.notify.post_to_receiver import DETAILS, answer_if_accepted, details_setting
from visibility.outbound.guarded_requests_module import GuardedExchange, guarded_exchange

MAX_SECONDS, MAX_REQUESTS = 10.0, 10
KINDS = {Severity.CRITICAL: "failure", Severity.HIGH: "failure", Severity.MEDIUM: "warning"}
# What services read as a mention: @everyone, @name, <!channel>, <@U1>.
MENTION = re.compile(r"(?<![\w.])@(?=\w)|@(?=everyone|here|channel|all|room)|<(?=[@!#&])")
ZERO_WIDTH_SPACE = "\u200b"


class Apprise(Channel):
    """A text to a service of Apprise, which accepted it if its last response is 2xx."""

    code: ClassVar[str] = "apprise"
    title: ClassVar[str] = "Apprise"
    is_proper_name: ClassVar[bool] = True
    description: ClassVar[str] = (
        "A text to Discord, Telegram, Mattermost, Rocket.Chat, Webex, ntfy, Pushover, Opsgenie, "
        "SMS and others, through an Apprise URL."
    )
    settings: ClassVar[tuple[Setting, ...]] = (
        Setting(
            "place",
            "What the URL leads to, such as Discord #orders. Shown in lists here.",
            required=True,
            label="Recipient",
        ),
        Setting(
            "url",
            "Such as discord://webhook_id/webhook_token. Each service is described at "
            "appriseit.com/services. The URL is a secret.",
            SettingType.SECRET,
            required=True,
            check=check_apprise_url,
            label="Apprise URL",
        ),
        details_setting(default="yes"),
    )
    max_alerts: ClassVar[int] = 20

    def not_installed_sentence(self) -> str:
        """Why it cannot be used, and how to install Apprise."""
        return not_installed_sentence()

    def send(self, message: OutgoingMessage, settings: ParsedSettings) -> str:
        """Send one message to one recipient. Raises DeliveryFailed unless it is accepted."""
        url = settings.text("url")
        try:
            service = open_service(url)
        except ValueError as error:
            raise DeliveryFailed(str(error)) from None
        title = without_mentions(message.subject)
        text = build_text(
            message, is_personal=settings.is_on(DETAILS), limit=service.max_text_length - len(title)
        )
        severity = message.alerts[0].severity if message.alerts else Severity.LOW
        kind = KINDS.get(Severity(severity), "info")
        with guarded_exchange(seconds=MAX_SECONDS, requests_at_most=MAX_REQUESTS) as exchange:
            try:
                is_accepted = send_text(service, title=title, text=text, kind=kind)
            except Exception as error:  # its text may contain the secret
                raise DeliveryFailed(f"Apprise failed: {type(error).__name__}.") from None
        try:
            answer = _answer(service, exchange, is_accepted)
        except DeliveryFailed as error:
            error.args = (hide_url_components(str(error), url, shown=service.host),)
            raise
        return hide_url_components(answer, url, shown=service.host)


def _answer(service: AppriseService, exchange: GuardedExchange, is_accepted: bool) -> str:
    """Return what the server answered last. Raises DeliveryFailed unless it confirmed."""
    if exchange.error:
        raise DeliveryFailed(f"The request failed: {exchange.error}")
    if exchange.last_response is None:
        raise DeliveryFailed("Apprise sent no request for this message.")
    answer = answer_if_accepted(exchange.last_response)
    if not is_accepted:
        raise DeliveryFailed(f"{service.title} did not accept the message. Answer: {answer}")
    return answer


def build_text(message: OutgoingMessage, *, is_personal: bool, limit: int) -> str:
    """Return the alerts with their facts and links, as many as `limit` characters hold."""
    if not message.alerts:
        return without_mentions(message.text)
    if len(message.alerts) == 1:
        (alert,) = message.alerts
        facts = [f"{a}: {b}" for a, b in list_alert_facts(alert, is_personal=is_personal)]
        return without_mentions("\n".join([alert.title, *facts]))[:limit] + f"\n{alert.url}"
    blocks: list[str] = []
    for alert in message.alerts:
        block = _alert_lines(alert, is_personal=is_personal)
        if blocks and sum(map(len, blocks)) + len(block) > limit:
            return "\n".join([*blocks, f"and {len(message.alerts) - len(blocks)} more"])
        blocks.append(block)
    return "\n".join(blocks)


def without_mentions(text: str) -> str:
    """Insert a character without width where a service would read a mention."""
    return MENTION.sub(lambda match: f"{match[0]}{ZERO_WIDTH_SPACE}", text)


def _alert_lines(alert: AlertSummary, *, is_personal: bool) -> str:
    lines = (
        without_mentions(f"[{alert.severity}] {title_with_order(alert)}"),
        without_mentions(short_alert_line(alert, is_personal=is_personal)),
        alert.url,
    )
    return "\n".join(line for line in lines if line)
