"""The settings of a subscription as its channel declares them; the secret ones are encrypted."""

from collections.abc import Mapping
from typing import Any

import orjson

from connectors.sdk.settings import ParsedSettings, parse_and_check_settings
from visibility.db.derived_keys import KeyPurpose
from visibility.db.encrypt_texts import UnreadableCiphertext, decrypt_text, encrypt_text
from visibility.notify.channel import Channel

PURPOSE = KeyPurpose.SUBSCRIPTION_SECRETS
HIDDEN = "[secret]"


class UnreadableChannelSecrets(RuntimeError):
    """The stored secrets cannot be decrypted, usually because of another SECRET_KEY."""


def encrypt_channel_secrets(secrets: Mapping[str, str]) -> str:
    """Encrypt secret settings by name into one text; empty if there are none."""
    return encrypt_text(orjson.dumps(dict(secrets)), purpose=PURPOSE) if secrets else ""


def decrypt_channel_secrets(sealed: str) -> dict[str, str]:
    """Return the secret settings by name. Raises UnreadableChannelSecrets."""
    if not sealed:
        return {}
    try:
        secrets: dict[str, str] = orjson.loads(decrypt_text(sealed, purpose=PURPOSE))
    except (UnreadableCiphertext, ValueError):
        raise UnreadableChannelSecrets(
            "its secrets were encrypted with another SECRET_KEY; enter them again"
        ) from None
    return secrets


def split_secret_settings(
    channel: Channel, values: Mapping[str, str]
) -> tuple[dict[str, str], dict[str, str]]:
    """Return the settings without the secret ones, and the secret ones."""
    names = {setting.name for setting in channel.settings if setting.is_secret}
    return (
        {name: text for name, text in values.items() if name not in names},
        {name: text for name, text in values.items() if name in names},
    )


def parse_channel_settings_with_errors(
    channel: Channel, values: Mapping[str, Any]
) -> ParsedSettings:
    """Parse all settings of a subscription. Never raises; the result has the errors."""
    return parse_and_check_settings(channel.settings, values, owner="channel")


def hide_secrets(text: str, secrets: Mapping[str, str]) -> str:
    """Replace each secret that a text contains, such as the text of an error."""
    for secret in sorted(secrets.values(), key=len, reverse=True):
        text = text.replace(secret, HIDDEN) if secret else text
    return text
