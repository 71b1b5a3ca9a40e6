"""Builders of EDIFACT interchanges, and their events."""

from datetime import UTC, datetime

import pytest

from connectors.sdk.connector import ParseResult, RawMessage
from connectors.sdk.events import CanonicalEvent
from connectors.sdk.payload import PayloadError
from connectors.systems.edifact.connector import Edifact

NOW = datetime(2026, 4, 1, tzinfo=UTC)


def edifact_message(text: str, number: int = 1) -> str:
    """A message between UNH and UNT: `edifact_message("ORDERS'BGM+220+4711+9")`."""
    kind, _, segments = text.partition("'")
    count = len([s for s in segments.split("'") if s]) + 2
    head = f"UNH+{number}+{kind}:D:01B:UN:EAN010'"
    return f"{head}{segments.rstrip(chr(39))}'UNT+{count}+{number}'"


def edifact_file(
    *texts: str,
    sender: str = "5412345000013",
    receiver: str = "4012345000009",
    reference: str = "77",
    syntax: str = "UNOC:3",
    is_test: bool = False,
) -> bytes:
    """One interchange of these messages, prepared on March 4, 2026 at 09:15."""
    body = "".join(edifact_message(text, number) for number, text in enumerate(texts, 1))
    test = "++++++1" if is_test else ""
    header = f"UNB+{syntax}+{sender}:14+{receiver}:14+260304:0915+{reference}{test}'"
    return f"{header}{body}UNZ+{len(texts)}+{reference}'".encode("latin-1")


def parse_edifact(body: bytes, **config: str) -> ParseResult:
    """Parse a file as the source `edi` with these settings."""
    return Edifact({"source": "edi", **config}).parse(RawMessage(body, {}, NOW))


def edifact_events(*texts: str, **config: str) -> tuple[CanonicalEvent, ...]:
    """The events of these messages, which have no error."""
    parsed = parse_edifact(edifact_file(*texts), **config)
    assert parsed.errors == ()
    return parsed.events


def edifact_error(text: str) -> PayloadError:
    """The error that parks a file with this message."""
    with pytest.raises(PayloadError) as caught:
        parse_edifact(edifact_file(text))
    return caught.value
