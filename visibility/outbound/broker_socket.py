"""Sockets to message brokers: to checked addresses only, with TLS if the URL asks for it."""

import os
import re
import socket
import ssl
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote, urlsplit

from visibility.outbound.address_guard import SMTP_PORT, resolve_to_allowed_ip_addresses

# One PEM block. A form field of one line removes its line breaks.
PEM_BLOCK = re.compile(r"-----BEGIN ([A-Z0-9 ]+)-----(.*?)-----END \1-----", re.DOTALL)
PEM_LINE = 64


@dataclass(frozen=True, slots=True)
class BrokerAddress:
    """The address in the URL of a broker. `path` is decoded and has no leading slash."""

    scheme: str
    host: str
    port: int
    path: str

    @property
    def host_and_port(self) -> str:
        """The address without a scheme, as in OUTGOING_ALLOWED."""
        return f"{self.host}:{self.port}"


def parse_broker_url(url: str, default_ports: Mapping[str, int]) -> BrokerAddress:
    """Return the address of a broker. `default_ports`: by scheme. Raises ValueError."""
    try:
        components = urlsplit(url)
        port = components.port
    except ValueError as error:
        raise ValueError(f"The address is invalid: {error}.") from None
    if components.scheme not in default_ports:
        known = ", ".join(f"{scheme}://" for scheme in default_ports)
        raise ValueError(f"Enter an address that starts with one of {known}.")
    if not components.hostname or any(character.isspace() for character in url):
        raise ValueError("Enter an address with a host name.")
    if components.username is not None or components.password is not None:
        raise ValueError("Enter the user and the password in their own settings.")
    if components.query or components.fragment:
        raise ValueError("The address must not contain ? or #.")
    if port in {0, SMTP_PORT}:
        raise ValueError(f"Port {port} is not allowed.")
    path = unquote(components.path.removeprefix("/"))
    return BrokerAddress(
        components.scheme, components.hostname, port or default_ports[components.scheme], path
    )


def open_broker_socket(host: str, port: int, *, seconds: float) -> socket.socket:
    """Connect to one of the allowed addresses of a host, without TLS.

    `seconds` limits each attempt; the socket has the same timeout. Raises ForbiddenAddress and
    OSError.
    """
    last_error: OSError | None = None
    for address in resolve_to_allowed_ip_addresses(host, port):
        try:
            connected = socket.create_connection((address, port), timeout=seconds)
        except OSError as error:
            last_error = error
            continue
        return connected
    raise last_error or ConnectionError(f"{host} has no address")


def build_tls_context(ca: str = "", certificate: str = "", key: str = "") -> ssl.SSLContext:
    """Return a context that checks the certificate of the broker.

    `ca`: the authorities to trust instead of those of the system. `certificate` and `key` identify
    the client. All are PEM. Raises ValueError.
    """
    try:
        context = ssl.create_default_context(cadata=normalize_pem(ca) if ca else None)
    except (ssl.SSLError, ValueError):
        raise ValueError("The CA certificate is not valid.") from None
    if certificate or key:
        _load_client_certificate(context, certificate, key)
    return context


def normalize_pem(text: str) -> str:
    """Return PEM blocks with the usual line breaks, also if they have none. Raises ValueError."""
    blocks = PEM_BLOCK.findall(text)
    if not blocks:
        raise ValueError("Enter a text that starts with -----BEGIN and ends with -----END ...")
    lines = []
    for label, content in blocks:
        packed = "".join(content.split())
        lines.append(f"-----BEGIN {label}-----")
        lines += [packed[i : i + PEM_LINE] for i in range(0, len(packed), PEM_LINE)]
        lines.append(f"-----END {label}-----")
    return "\n".join(lines) + "\n"


def _load_client_certificate(context: ssl.SSLContext, certificate: str, key: str) -> None:
    """OpenSSL reads a client certificate from a file only."""
    text = normalize_pem(certificate) + (normalize_pem(key) if key else "")
    descriptor, name = tempfile.mkstemp()  # readable by this user only
    try:
        with os.fdopen(descriptor, "w") as file:
            file.write(text)
        # Without a password OpenSSL would ask for one on the terminal.
        context.load_cert_chain(name, password="")
    except (ssl.SSLError, OSError):
        raise ValueError(
            "The client certificate and its key do not belong together, or the key has a password."
        ) from None
    finally:
        Path(name).unlink()
