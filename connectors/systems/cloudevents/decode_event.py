"""Decodes what CloudEvents encode: attributes in headers, and data."""

import base64
import binascii
import re
from urllib.parse import unquote

from connectors.sdk.payload import Node, ParkReason, PayloadError, load_json


def decode_header(text: str) -> str:
    """Decode an attribute: first a double-quoted string (RFC 9110), then percent-encoding.

    CloudEvents HTTP binding 1.0.2, section 3.1.3.2: senders of older versions quote values.
    """
    if len(text) > 1 and text.startswith('"') and text.endswith('"'):
        text = re.sub(r"\\(.)", r"\1", text[1:-1])
    return unquote(text)


def parse_json_data(data: bytes, content_type: str) -> Node:
    """Parse data of this content type, which must be JSON. Raises PayloadError."""
    kind = content_type.partition(";")[0].strip().lower()
    if kind and kind != "application/json" and not kind.endswith("+json"):
        raise PayloadError(ParkReason.MEDIA, "data", f"data has type {kind[:80]}, expected JSON")
    return load_json(data)


def structured_mode_data(event: Node) -> Node:
    """Return `data`, or decoded `data_base64`."""
    content_type = event.text_at("datacontenttype")
    if event.has_value("data_base64"):
        node = event.get("data_base64")
        try:
            raw = base64.b64decode(node.as_text().encode(), validate=True)
        except binascii.Error:
            raise PayloadError(ParkReason.ENCODING, node.path, "not valid base64") from None
        return parse_json_data(raw, content_type)
    data = event.get("data")
    if isinstance(data.value, str):
        raise PayloadError(
            ParkReason.MEDIA, data.path, f"data has type {content_type or 'text'}, expected JSON"
        )
    return data
