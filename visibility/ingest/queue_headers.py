"""Headers of messages from brokers as those of an HTTP request, which connectors read.

CloudEvents name their attributes differently in each protocol binding: `cloudEvents:id` in AMQP,
`ce_id` in Kafka, `id` in MQTT 5. Here they become `ce-id`, as in the HTTP binding, which
percent-encodes the values (https://github.com/cloudevents/spec/tree/main/cloudevents/bindings).
"""

from collections.abc import Iterable
from datetime import UTC, datetime
from urllib.parse import quote

MAX_HEADERS = 100
MAX_HEADER_BYTES = 32_768
CLOUDEVENT_PREFIXES = ("cloudevents:", "cloudevents_", "ce_")
# Printable ASCII that the HTTP binding leaves as it is: all but space, the quote and the percent.
UNQUOTED = "".join(chr(code) for code in range(0x21, 0x7F) if chr(code) not in '"%')
# MQTT 5 names the attributes without a prefix; this attribute shows that they are some.
VERSION_ATTRIBUTE = "specversion"
# Other codings are names of character sets, or of nothing that the product reads.
GZIP_CODINGS = frozenset({"gzip", "x-gzip"})


class TooManyHeaders(ValueError):
    """The headers of a message are too many or too large."""


def build_headers(
    pairs: Iterable[tuple[str, object]], *, bare_cloudevents: bool = False
) -> dict[str, str]:
    """Return headers by lower-case name; of equal names the last one. Raises TooManyHeaders.

    `bare_cloudevents`: attributes of CloudEvents have no prefix. A value that is no text, number,
    time or bytes is left out.
    """
    given = [(str(name).lower(), _header_text(value)) for name, value in pairs]
    headers = {name: text for name, text in given if text is not None}
    size = sum(len(name) + len(text) for name, text in headers.items())
    if len(headers) > MAX_HEADERS or size > MAX_HEADER_BYTES:
        raise TooManyHeaders(
            f"it has more than {MAX_HEADERS} headers, or more than {MAX_HEADER_BYTES:,} bytes"
        )
    if headers.get("content-encoding", "").strip().lower() not in GZIP_CODINGS:
        headers.pop("content-encoding", None)
    is_bare = bare_cloudevents and VERSION_ATTRIBUTE in headers
    result: dict[str, str] = {}
    for name, text in headers.items():
        attribute = _cloudevent_attribute(name, is_bare=is_bare)
        if attribute:
            result[f"ce-{attribute}"] = quote(text, safe=UNQUOTED)
        else:
            result[name] = text
    return result


def _cloudevent_attribute(name: str, *, is_bare: bool) -> str:
    for prefix in CLOUDEVENT_PREFIXES:
        if name.startswith(prefix):
            return name.removeprefix(prefix)
    # Attributes have letters and digits only.
    return name if is_bare and name.isalnum() else ""


def _header_text(value: object) -> str | None:
    if isinstance(value, str):
        # PostgreSQL stores no NUL, and JSON no half of a surrogate pair.
        return value.replace("\0", "").encode("utf-8", "replace").decode()
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, bytes | bytearray | memoryview):
        return bytes(value).decode("utf-8", "replace").replace("\0", "")
    if isinstance(value, datetime):
        at = value if value.tzinfo else value.replace(tzinfo=UTC)
        return at.astimezone(UTC).isoformat().replace("+00:00", "Z")
    if isinstance(value, int | float):
        return str(value)
    return None
