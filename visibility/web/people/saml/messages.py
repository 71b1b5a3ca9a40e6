"""The documents that this installation writes: its metadata, and the request of a sign-in."""

import base64
import secrets
import zlib
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlencode

from lxml import etree

from visibility.models import SamlProvider
from visibility.web.people.saml.service_provider import own_entity_id, response_address
from visibility.web.people.saml.xml_documents import NAMESPACES

PROTOCOL = NAMESPACES["samlp"]
POST_BINDING = "urn:oasis:names:tc:SAML:2.0:bindings:HTTP-POST"


def new_request_id() -> str:
    """An xs:ID that nobody can guess."""
    return f"_{secrets.token_hex(20)}"


def sign_in_address(row: SamlProvider, *, request_id: str, relay_state: str, now: datetime) -> str:
    """The address at the provider with an AuthnRequest (HTTP redirect binding)."""
    compressor = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    content = compressor.compress(_authentication_request(row, request_id, now))
    content += compressor.flush()
    query = {"SAMLRequest": base64.b64encode(content).decode(), "RelayState": relay_state}
    separator = "&" if "?" in row.sign_in_address else "?"
    return f"{row.sign_in_address}{separator}{urlencode(query)}"


def own_metadata() -> bytes:
    """What an administrator of the provider imports."""
    namespace = NAMESPACES["md"]
    root = _element(namespace, "EntityDescriptor", entityID=own_entity_id())
    role = _child(
        root,
        namespace,
        "SPSSODescriptor",
        protocolSupportEnumeration=PROTOCOL,
        AuthnRequestsSigned="false",
        WantAssertionsSigned="true",
    )
    _child(
        role,
        namespace,
        "AssertionConsumerService",
        Binding=POST_BINDING,
        Location=response_address(),
        index="0",
        isDefault="true",
    )
    return bytes(etree.tostring(root, xml_declaration=True, encoding="UTF-8", pretty_print=True))


def _authentication_request(row: SamlProvider, request_id: str, now: datetime) -> bytes:
    root = _element(
        PROTOCOL,
        "AuthnRequest",
        ID=request_id,
        Version="2.0",
        IssueInstant=now.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        Destination=row.sign_in_address,
        ProtocolBinding=POST_BINDING,
        AssertionConsumerServiceURL=response_address(),
    )
    _child(root, NAMESPACES["saml"], "Issuer").text = own_entity_id()
    if row.accepts_second_factor and row.second_factor_context:
        requested = _child(root, PROTOCOL, "RequestedAuthnContext", Comparison="exact")
        name = _child(requested, NAMESPACES["saml"], "AuthnContextClassRef")
        name.text = row.second_factor_context
    return bytes(etree.tostring(root))


def _element(namespace: str, name: str, **attributes: str) -> Any:
    prefixes = {prefix: NAMESPACES[prefix] for prefix in NAMESPACES if prefix != "ds"}
    used = {prefix: uri for prefix, uri in prefixes.items() if uri == namespace}
    return etree.Element(f"{{{namespace}}}{name}", attributes, nsmap=used)


def _child(parent: Any, namespace: str, name: str, **attributes: str) -> Any:
    return etree.SubElement(
        parent,
        f"{{{namespace}}}{name}",
        attributes,
        nsmap={"saml": namespace} if namespace == NAMESPACES["saml"] else None,
    )
