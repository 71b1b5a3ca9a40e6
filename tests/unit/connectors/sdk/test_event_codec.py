"""Canonical JSON of events and their content hash."""

import hashlib
import json
from datetime import UTC, datetime
from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from connectors.sdk.event_codec import (
    event_from_dict,
    event_to_dict,
    sha256_hex,
    to_canonical_json,
)
from connectors.sdk.events import (
    Attribute,
    CanonicalEvent,
    EventIdentifier,
    EventLine,
    EventType,
    IdentifierScheme,
    Measure,
    ObjectKind,
    ObjectReference,
)

EVENT = CanonicalEvent(
    type=EventType.ORDER_RECEIVED,
    key="k",
    occurred_at=datetime(2026, 3, 4, 5, 6, 7, tzinfo=UTC),
    objects=(
        ObjectReference(
            ObjectKind.ORDER, (EventIdentifier(IdentifierScheme.SALES_ORDER, "SO-1", "erp"),)
        ),
    ),
    lines=(EventLine("1", "A", quantities={Measure.ORDERED: Decimal("2.50")}),),
)
TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)


@given(TEXTS, st.dictionaries(st.sampled_from(Attribute), TEXTS))
def test_encoding_is_canonical_and_round_trips(text: str, attributes: dict[Attribute, str]) -> None:
    """Stored hashes stay valid: the encoding equals that of the standard json module."""
    event = CanonicalEvent(
        type=EVENT.type,
        key=text,
        occurred_at=EVENT.occurred_at,
        objects=EVENT.objects,
        lines=EVENT.lines,
        scope=text,
        attributes=attributes,
    )
    expected = json.dumps(
        event_to_dict(event), sort_keys=True, separators=(",", ":"), ensure_ascii=False
    ).encode()
    assert to_canonical_json(event) == expected
    assert sha256_hex(to_canonical_json(event)) == hashlib.sha256(expected).hexdigest()
    assert event_from_dict(json.loads(to_canonical_json(event))) == event
