"""Read the metadata of an identity provider (SAML 2.0 Metadata): name, address, certificates."""

import base64
import binascii
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePublicKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

from visibility.models.saml_provider import MAX_ENTITY_ID_LENGTH
from visibility.web.people.saml.xml_documents import (
    MAX_METADATA_BYTES,
    InvalidXml,
    find_all,
    parse_xml,
)
from visibility.web.people.single_sign_on.read_provider_values import is_safe_scheme

REDIRECT_BINDING = "urn:oasis:names:tc:SAML:2.0:bindings:HTTP-Redirect"
MAX_CERTIFICATES, MIN_RSA_BITS, MAX_ADDRESS_LENGTH = 10, 2048, 500


class InvalidMetadata(ValueError):
    """The metadata cannot be used; the text is a sentence."""


@dataclass(frozen=True, slots=True)
class ProviderMetadata:
    """`certificates`: those that sign, as base64 of DER."""

    entity_id: str
    sign_in_address: str
    certificates: tuple[str, ...]


def read_metadata(raw: bytes, *, now: datetime) -> ProviderMetadata:
    """The provider of a metadata document with one provider. Raises InvalidMetadata."""
    try:
        root = parse_xml(raw, max_bytes=MAX_METADATA_BYTES)
    except InvalidXml as error:
        raise InvalidMetadata(f"The metadata is not accepted: {error}.") from None
    entities = find_all(root, "descendant-or-self::md:EntityDescriptor[md:IDPSSODescriptor]")
    if len(entities) != 1:
        raise InvalidMetadata(
            f"The metadata must describe one identity provider, and describes {len(entities)}."
        )
    entity = entities[0]
    _check_validity([root, entity, *find_all(entity, "md:IDPSSODescriptor")], now)
    entity_id = entity.get("entityID", "").strip()
    if not 0 < len(entity_id) <= MAX_ENTITY_ID_LENGTH or not entity_id.isprintable():
        raise InvalidMetadata(f"The entity ID must have 1 to {MAX_ENTITY_ID_LENGTH} characters.")
    return ProviderMetadata(entity_id, _sign_in_address(entity), _certificates(entity))


def _check_validity(elements: Sequence[Any], now: datetime) -> None:
    for element in elements:
        if "validUntil" not in element.attrib:
            continue
        valid_until = parse_time(element.get("validUntil"))
        if valid_until is None or valid_until < now:
            raise InvalidMetadata("The metadata has expired. Download it again.")


def parse_time(text: str) -> datetime | None:
    """An xs:dateTime; without a time zone it is in UTC. None if it cannot be read."""
    try:
        moment = datetime.fromisoformat(text.strip())
    except ValueError:
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _sign_in_address(entity: Any) -> str:
    services = find_all(entity, "md:IDPSSODescriptor/md:SingleSignOnService")
    addresses = [
        service.get("Location", "").strip()
        for service in services
        if service.get("Binding") == REDIRECT_BINDING
    ]
    if not addresses:
        raise InvalidMetadata("The metadata has no sign-in address with the redirect binding.")
    address: str = addresses[0]
    if len(address) > MAX_ADDRESS_LENGTH or not address.isprintable() or "#" in address:
        raise InvalidMetadata("The sign-in address of the metadata is not valid.")
    if not is_safe_scheme(address):
        raise InvalidMetadata(f"The sign-in address is not an https:// address: {address[:200]}.")
    return address


def _certificates(entity: Any) -> tuple[str, ...]:
    """Those of the keys for signatures, each once."""
    texts = find_all(
        entity,
        "md:IDPSSODescriptor/md:KeyDescriptor[not(@use) or @use='signing']"
        "/ds:KeyInfo/ds:X509Data/ds:X509Certificate/text()",
    )
    certificates = tuple(dict.fromkeys(_checked_certificate(str(text)) for text in texts))
    if not 0 < len(certificates) <= MAX_CERTIFICATES:
        raise InvalidMetadata(
            f"The metadata must have 1 to {MAX_CERTIFICATES} certificates for signatures, and has "
            f"{len(certificates)}."
        )
    return certificates


def _checked_certificate(text: str) -> str:
    try:
        content = base64.b64decode("".join(text.split()), validate=True)
        key = x509.load_der_x509_certificate(content).public_key()
    except (binascii.Error, ValueError):
        raise InvalidMetadata("A certificate of the metadata is damaged.") from None
    is_strong = isinstance(key, EllipticCurvePublicKey) or (
        isinstance(key, RSAPublicKey) and key.key_size >= MIN_RSA_BITS
    )
    if not is_strong:
        raise InvalidMetadata(
            f"A certificate has a key that is not RSA with {MIN_RSA_BITS} bits or more, nor ECDSA."
        )
    return base64.b64encode(content).decode()
