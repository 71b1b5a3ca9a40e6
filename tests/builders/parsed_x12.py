"""X12 files of one interchange, parsed by the connector."""

from datetime import UTC, datetime
from typing import Any

import pytest

from connectors.sdk.connector import ParseResult, RawMessage
from connectors.sdk.events import CanonicalEvent
from connectors.sdk.payload import PayloadError
from connectors.systems.x12.connector import X12
from tests.builders.x12 import interchange, transaction_set

NOW = datetime(2026, 4, 1, tzinfo=UTC)


def envelope(*sets: str, control: int = 7, sent: str = "20260304 0915", **fields: Any) -> bytes:
    """One interchange of these sets; `sent` is the date and time of its ISA and GS."""
    numbered = (transaction_set(text, number) for number, text in enumerate(sets, 1))
    text = interchange(*numbered, control=control, padded=False, **fields)
    date, time = sent.split()
    text = text.replace("*20260304*0915*", f"*{date}*{time}*", 1)
    return text.replace("*260304*0915*", f"*{date[2:]}*{time}*", 1).encode()


def parse(body: bytes, **config: str) -> ParseResult:
    """Parse a file as the source `edi` with these settings."""
    return X12({"source": "edi", **config}).parse(RawMessage(body, {}, NOW))


def events(*sets: str, sent: str = "20260304 0915", **config: str) -> tuple[CanonicalEvent, ...]:
    """The events of these sets, which have no error."""
    parsed = parse(envelope(*sets, sent=sent), **config)
    assert parsed.errors == ()
    return parsed.events


def parse_error(text: str) -> PayloadError:
    """The error that parks a file with this set."""
    with pytest.raises(PayloadError) as caught:
        parse(envelope(text))
    return caught.value
