"""The address guard: which URLs may be called, and the addresses to connect to."""

import ipaddress
import socket
from collections.abc import Sequence
from urllib.parse import urlsplit

from django.conf import settings

from visibility.outbound.allowed_addresses import (
    is_allowed_by_administrator,
    is_private_network_address,
)

SMTP_PORT = 25
# The end of the refusal of an address that an administrator can allow in the product.
CAN_BE_ALLOWED = "under Outgoing addresses"
# Translation and tunnels deliver packets for these addresses to an IPv4 address that they contain,
# which may be private: NAT64 (RFC 6052, RFC 8215), 6to4 (RFC 3056), Teredo (RFC 4380), and the
# obsolete IPv4-compatible addresses.
NETWORKS_WITH_EMBEDDED_IPV4 = tuple(
    ipaddress.IPv6Network(text)
    for text in ("64:ff9b::/96", "64:ff9b:1::/48", "2002::/16", "2001::/32", "::/96")
)


class ForbiddenAddress(ConnectionError):
    """The address is neither public nor allowed by an administrator."""


def check_url_scheme_port_and_no_credentials(url: str) -> None:
    """Check the form of the URL. Raises ForbiddenAddress.

    `resolve_to_allowed_ip_addresses` checks the address, when a connection is opened.
    """
    try:
        components = urlsplit(url)
        port = components.port
    except ValueError as error:
        raise ForbiddenAddress(f"the address is invalid: {error}") from None
    if components.scheme not in {"http", "https"} or not components.hostname:
        raise ForbiddenAddress("only http:// and https:// addresses with a host name are allowed")
    if components.username or components.password:
        raise ForbiddenAddress("the address must not contain a user name or a password")
    if port == SMTP_PORT and not _is_host_and_port_in_outgoing_allowed(components.hostname, port):
        raise ForbiddenAddress("port 25 is not allowed")


def resolve_to_allowed_ip_addresses(host: str, port: int) -> list[str]:
    """Return the IP addresses of a host. Raises ForbiddenAddress or ConnectionError.

    Public addresses are allowed. Others are allowed if OUTGOING_ALLOWED lists their host:port, and
    those of the private network also if an administrator has allowed them in the product.
    The caller connects to a returned address, so that a second lookup cannot name another one.
    """
    try:
        resolved = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise ConnectionError(f"{host} cannot be resolved: {error}") from error
    addresses = [str(address[0]) for *_, address in resolved]
    if not _is_host_and_port_in_outgoing_allowed(host, port):
        _check_addresses_without_outgoing_allowed(host, port, addresses)
    return addresses


def resolve_mail_server(host: str, port: int) -> list[str]:
    """Return the IP addresses of a mail server that an administrator entered.

    That it was entered allows addresses of the private network, and port 25. Other addresses that
    are not public are allowed if OUTGOING_ALLOWED lists them. Raises ForbiddenAddress or
    ConnectionError.
    """
    try:
        resolved = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise ConnectionError(f"{host} cannot be resolved: {error}") from error
    addresses = [str(address[0]) for *_, address in resolved]
    if _is_host_and_port_in_outgoing_allowed(host, port):
        return addresses
    for address in addresses:
        if not (is_public_address(address) or is_private_network_address(address)):
            raise ForbiddenAddress(
                f"{host} is this server itself, or an address that no mail server has"
            )
    return addresses


def _check_addresses_without_outgoing_allowed(
    host: str, port: int, addresses: Sequence[str]
) -> None:
    """Raises ForbiddenAddress."""
    others = [address for address in addresses if not is_public_address(address)]
    if not others:
        return
    if not all(map(is_private_network_address, others)):
        raise ForbiddenAddress(
            f"{host} is not a public address; an administrator must allow "
            f"{host}:{port} in OUTGOING_ALLOWED"
        )
    if not is_allowed_by_administrator(host, port):
        raise ForbiddenAddress(
            f"{host} is not a public address; an administrator must allow "
            f"{host}:{port} {CAN_BE_ALLOWED}"
        )


def is_public_address(text: str) -> bool:
    """Whether this IP address names one host of the public Internet, and only that one."""
    address = ipaddress.ip_address(text)
    if isinstance(address, ipaddress.IPv6Address):
        if address.ipv4_mapped is not None:
            address = address.ipv4_mapped
        elif address.is_site_local or any(address in n for n in NETWORKS_WITH_EMBEDDED_IPV4):
            return False
    return address.is_global and not (
        address.is_multicast or address.is_unspecified or address.is_reserved
    )


def is_url_in_outgoing_allowed(url: str) -> bool:
    """Whether OUTGOING_ALLOWED lists the host and port of a URL."""
    try:
        components = urlsplit(url)
        port = components.port or (443 if components.scheme == "https" else 80)
    except ValueError:
        return False
    return _is_host_and_port_in_outgoing_allowed(components.hostname or "", port)


def _is_host_and_port_in_outgoing_allowed(host: str, port: int) -> bool:
    return f"{host}:{port}" in settings.OUTGOING_ALLOWED
