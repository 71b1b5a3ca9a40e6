"""An event has one way of being written, and with it one hash."""

import hashlib
import json
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from connectors.sdk.events import (
    Attribute,
    CanonicalEvent,
    EventType,
    Identifier,
    Line,
    Measure,
    ObjectKind,
    Ref,
    Scheme,
    as_dict,
    content_hash,
    from_dict,
    written,
)

EVENT = CanonicalEvent(
    type=EventType.ORDER_RECEIVED,
    key="k",
    occurred_at=datetime(2026, 3, 4, 5, 6, 7, tzinfo=UTC),
    objects=(Ref(ObjectKind.ORDER, (Identifier(Scheme.SALES_ORDER, "SO-1", "erp"),)),),
    lines=(Line("1", "A", quantities={Measure.ORDERED: Decimal("2.50")}),),
)
TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)


@given(TEXTS, st.dictionaries(st.sampled_from(Attribute), TEXTS))
def test_an_event_is_written_in_one_way_only(text: str, attributes: dict[Attribute, str]) -> None:
    """Hashes that were kept earlier, made by the standard library, stay what they are."""
    event = replace(EVENT, key=text, part=text, attributes=attributes)
    plainly = json.dumps(
        as_dict(event), sort_keys=True, separators=(",", ":"), ensure_ascii=False
    ).encode()
    assert written(event) == plainly
    assert content_hash(event) == hashlib.sha256(plainly).hexdigest()
    assert from_dict(json.loads(written(event))) == event
