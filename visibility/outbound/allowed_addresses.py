"""Addresses of the private network that administrators allow in the browser or over the API."""

import ipaddress
import re
from collections.abc import Sequence
from datetime import datetime

from django.contrib.auth.models import User
from django.db import IntegrityError, transaction

from connectors.sdk.parse_setting_values import parse_integer, parse_storable_text
from connectors.sdk.settings import SettingError
from visibility.db.release_connection import close_connection_outside_transaction
from visibility.models.allowed_addresses import AllowedAddress
from visibility.models.audit import append_audit_entry

# The networks of which an address can be allowed: RFC 1918, RFC 6598 and RFC 4193.
PRIVATE_NETWORKS = tuple(
    ipaddress.ip_network(text)
    for text in ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10", "fc00::/7")
)
# Cloud servers give credentials to everyone who asks these: never allowed, as 169.254.169.254.
CREDENTIAL_SERVERS = frozenset(
    ipaddress.ip_address(text) for text in ("100.100.100.200", "fd00:ec2::254", "fd20:ce::254")
)
HOST_LABEL = re.compile(r"[a-z0-9_]([a-z0-9_-]*[a-z0-9])?")
MAX_HOST_LENGTH = 253
SMTP_PORT = 25
MAX_NOTE_LENGTH = 200


class InvalidAllowedAddress(ValueError):
    """The address cannot be allowed. `errors` names the fields and says why."""

    def __init__(self, errors: Sequence[SettingError]) -> None:
        super().__init__(" ".join(error.sentence for error in errors))
        self.errors = tuple(errors)


def is_private_network_address(text: str) -> bool:
    """Whether an administrator can allow this IP address: not loopback, link-local or metadata."""
    address = ipaddress.ip_address(text)
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped is not None:
        address = address.ipv4_mapped
    return address not in CREDENTIAL_SERVERS and any(
        address in network for network in PRIVATE_NETWORKS if network.version == address.version
    )


def is_allowed_by_administrator(host: str, port: int) -> bool:
    """Whether the list has this host and port. Outside a transaction, frees the connection."""
    is_listed = AllowedAddress.objects.filter(host=host.lower(), port=port).exists()
    close_connection_outside_transaction()
    return is_listed


def allow_address(host: str, port: str, note: str, *, now: datetime, user: User) -> AllowedAddress:
    """Add an address to the list. Raises InvalidAllowedAddress."""
    errors = []
    chosen_host, chosen_port, chosen_note = host.strip().lower().strip("[]"), 0, ""
    try:
        _check_host(chosen_host)
    except ValueError as error:
        errors.append(SettingError("host", str(error)))
    try:
        chosen_port = _parse_port(port)
    except ValueError as error:
        errors.append(SettingError("port", str(error)))
    try:
        chosen_note = parse_storable_text(note.strip())[:MAX_NOTE_LENGTH]
    except ValueError as error:
        errors.append(SettingError("note", str(error)))
    if errors:
        raise InvalidAllowedAddress(errors)
    try:
        with transaction.atomic():
            address = AllowedAddress.objects.create(
                host=chosen_host, port=chosen_port, note=chosen_note, added_by=user
            )
            _audit("address.allowed", address, now, user)
    except IntegrityError:
        sentence = f"{chosen_host}:{chosen_port} is allowed already."
        raise InvalidAllowedAddress([SettingError("host", sentence)]) from None
    return address


def disallow_address(number: int, *, now: datetime, user: User) -> AllowedAddress | None:
    """Remove an address from the list and return it; None if there is none."""
    with transaction.atomic():
        address = AllowedAddress.objects.select_for_update().filter(pk=number).first()
        if address is None:
            return None
        _audit("address.disallowed", address, now, user)
        AllowedAddress.objects.filter(pk=number).delete()
    return address


def _audit(action: str, address: AllowedAddress, now: datetime, user: User) -> None:
    append_audit_entry(
        action, user=user, object=str(address), detail={"note": address.note}, now=now
    )


def _check_host(host: str) -> None:
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        labels = host.split(".")
        is_name = all(HOST_LABEL.fullmatch(label) for label in labels)
        if len(host) > MAX_HOST_LENGTH or not is_name or labels[-1].isdecimal():
            raise ValueError("Enter a host name or an IP address, without a scheme.") from None
        return
    if is_private_network_address(host):
        return
    if address.is_global:
        raise ValueError("This is a public address: it needs no permission.")
    if address.is_loopback:
        raise ValueError(
            "An address of the server itself cannot be allowed here. List it as host:port in "
            "OUTGOING_ALLOWED on the server."
        )
    raise ValueError(
        "This address cannot be allowed here: it is not in a private network (10.0.0.0/8, "
        "172.16.0.0/12, 192.168.0.0/16, 100.64.0.0/10, fc00::/7), or gives out credentials."
    )


def _parse_port(text: str) -> int:
    port = parse_integer(text.strip())
    if not 1 <= port <= 65_535:
        raise ValueError("Enter a port from 1 to 65535.")
    if port == SMTP_PORT:
        raise ValueError("Port 25 cannot be allowed here.")
    return port
