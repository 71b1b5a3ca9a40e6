"""Read each value of the form and of the API for an identity provider; each error is a sentence."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any
from urllib.parse import urlsplit

from connectors.sdk.parse_setting_values import parse_storable_text
from visibility.models import UnknownPeople
from visibility.models.identity_provider import MAX_ISSUER_LENGTH
from visibility.outbound.address_guard import (
    ForbiddenAddress,
    check_url_scheme_port_and_no_credentials,
    is_url_in_outgoing_allowed,
    resolve_to_allowed_ip_addresses,
)
from visibility.outbound.allowed_addresses import is_allowed_by_administrator
from visibility.web.permissions import UserRole

SECRET = "client_secret"  # noqa: S105  # the name of the field
FIELDS = (
    "name",
    "issuer",
    "client_id",
    "scopes",
    "groups_claim",
    "group_roles",
    "unknown_people",
    "accepts_second_factor",
    "second_factor_acr",
    "is_enabled",
)
MAX_LENGTHS = {
    "name": 40,
    "issuer": MAX_ISSUER_LENGTH,
    "client_id": 200,
    SECRET: 500,
    "scopes": 300,
    "groups_claim": 100,
    "second_factor_acr": 200,
}
MAX_GROUPS, MAX_GROUP_LENGTH = 50, 200
DISCOVERY_PATH = "/.well-known/openid-configuration"
HTTPS_PORT, HTTP_PORT = 443, 80


def is_safe_scheme(url: str) -> bool:
    """Whether the URL is encrypted, or leads to an address that an administrator has allowed."""
    try:
        address = urlsplit(url)
        port = address.port or HTTP_PORT
    except ValueError:
        return False
    if address.scheme == "https":
        return bool(address.hostname)
    if address.scheme != "http" or not address.hostname:
        return False
    return is_url_in_outgoing_allowed(url) or is_allowed_by_administrator(address.hostname, port)


def check_safe_scheme(url: str) -> None:
    """As `is_safe_scheme`. Raises ValueError."""
    if not is_safe_scheme(url):
        raise ValueError(
            "Enter an https:// address. Plain http:// is possible only for an address that is "
            "listed under Outgoing addresses."
        )


def check_issuer_address(issuer: str) -> None:
    """Refuse addresses that the product must not call. Raises ValueError."""
    try:
        check_url_scheme_port_and_no_credentials(issuer)
        address = urlsplit(issuer)
        port = address.port or (HTTPS_PORT if address.scheme == "https" else HTTP_PORT)
        resolve_to_allowed_ip_addresses(address.hostname or "", port)
    except ForbiddenAddress as error:
        raise ValueError(f"This address is refused: {error}.") from None
    except ConnectionError:
        return  # the test says so; the name may resolve later


def text_reader(max_length: int, *, required: bool = False) -> Callable[[object], str]:
    """A reader of a text on one line, whose errors name the length."""

    def read(raw: object) -> str:
        text = parse_storable_text(str(raw or "").strip())
        if (required and not text) or len(text) > max_length or not text.isprintable():
            amount = f"1 to {max_length}" if required else f"at most {max_length}"
            raise ValueError(f"Enter {amount} characters on one line.")
        return text

    return read


def _read_issuer(raw: object) -> str:
    text = text_reader(MAX_LENGTHS["issuer"], required=True)(raw).removesuffix(DISCOVERY_PATH)
    try:
        address = urlsplit(text)
        is_address = bool(address.hostname) and address.scheme in {"http", "https"}
    except ValueError:
        is_address = False
    if not is_address or address.query or address.fragment:
        raise ValueError("Enter an address such as https://login.example.com.")
    check_safe_scheme(text)
    return text


def _read_scopes(raw: object) -> str:
    scopes = text_reader(MAX_LENGTHS["scopes"], required=True)(raw).split()
    if "openid" not in scopes:
        raise ValueError("The scopes must contain openid.")
    return " ".join(dict.fromkeys(scopes))


def read_unknown_people(raw: object) -> str:
    """An UnknownPeople."""
    if raw not in UnknownPeople.values:
        raise ValueError(f"Choose {' or '.join(UnknownPeople.values)}.")
    return str(raw)


def read_group_roles(raw: object) -> list[dict[str, str]]:
    """Rows without a group are left out."""
    if not isinstance(raw, Sequence) or isinstance(raw, str):
        raise ValueError("Enter a list of groups with their roles.")
    rows: list[dict[str, str]] = []
    for given in raw:
        group = parse_storable_text(str(given.get("group") or "").strip())
        role = str(given.get("role") or "")
        if not group:
            continue
        if len(group) > MAX_GROUP_LENGTH or not group.isprintable():
            raise ValueError(f"A group has at most {MAX_GROUP_LENGTH} characters on one line.")
        if role not in set(UserRole):
            raise ValueError(f"Choose a role for the group {group[:80]}.")
        if group in {row["group"] for row in rows}:
            raise ValueError(f"The group {group[:80]} has two rows. Remove one.")
        rows.append({"group": group, "role": role})
    if len(rows) > MAX_GROUPS:
        raise ValueError(f"Enter at most {MAX_GROUPS} groups.")
    return rows


READERS: Mapping[str, Callable[[object], Any]] = {
    "name": text_reader(MAX_LENGTHS["name"], required=True),
    "issuer": _read_issuer,
    "client_id": text_reader(MAX_LENGTHS["client_id"], required=True),
    "scopes": _read_scopes,
    "groups_claim": text_reader(MAX_LENGTHS["groups_claim"]),
    "group_roles": read_group_roles,
    "unknown_people": read_unknown_people,
    "accepts_second_factor": bool,
    "second_factor_acr": text_reader(MAX_LENGTHS["second_factor_acr"]),
    "is_enabled": bool,
    SECRET: text_reader(MAX_LENGTHS[SECRET]),
}
