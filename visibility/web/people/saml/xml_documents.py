"""Parse XML of strangers: of bounded size, in UTF-8, without document type and entities."""

import re
from typing import Any

from lxml import etree

MAX_RESPONSE_BYTES, MAX_METADATA_BYTES = 262_144, 1_048_576
NAMESPACES = {
    "samlp": "urn:oasis:names:tc:SAML:2.0:protocol",
    "saml": "urn:oasis:names:tc:SAML:2.0:assertion",
    "md": "urn:oasis:names:tc:SAML:2.0:metadata",
    "ds": "http://www.w3.org/2000/09/xmldsig#",
}
_DECLARATION = re.compile(r"\A\s*<\?xml[^>]*\?>")
_FORBIDDEN = re.compile(r"<!\s*(DOCTYPE|ENTITY)", re.IGNORECASE)


class InvalidXml(ValueError):
    """The document is not accepted; the text says why."""


def readable_xml(raw: bytes, *, max_bytes: int) -> bytes:
    """The document in UTF-8 without declaration, so that each parser reads the same.

    Raises InvalidXml.
    """
    if len(raw) > max_bytes:
        raise InvalidXml(f"it has more than {max_bytes // 1024} KiB")
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise InvalidXml("it is not in UTF-8") from None
    text = _DECLARATION.sub("", text, count=1).strip()
    if _FORBIDDEN.search(text):
        raise InvalidXml("it has a document type or entities")
    return text.encode()


def parse_xml(raw: bytes, *, max_bytes: int) -> Any:
    """The root element. Raises InvalidXml."""
    content = readable_xml(raw, max_bytes=max_bytes)
    parser = etree.XMLParser(
        resolve_entities=False,
        no_network=True,
        load_dtd=False,
        huge_tree=False,
        remove_comments=True,
        remove_pis=True,
    )
    try:
        root = etree.fromstring(content, parser)
    except etree.XMLSyntaxError:
        raise InvalidXml("it is incomplete or damaged") from None
    if root is None or root.getroottree().docinfo.doctype:
        raise InvalidXml("it has a document type or entities")
    return root


def find_all(element: Any, path: str) -> list[Any]:
    """The elements of an XPath with the prefixes of NAMESPACES."""
    return list(element.xpath(path, namespaces=NAMESPACES))
