"""Trace context as the W3C defines it: what is not valid is as if it were not there."""

import pytest

from connectors.sdk.trace_context import Trace, parse, traces, valid

ID, SPAN = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
GOOD = f"00-{ID}-{SPAN}-01"


def test_a_valid_parent_names_trace_and_span() -> None:
    assert parse(GOOD) == Trace(ID, SPAN)
    assert parse(f"01-{ID}-{SPAN}-00-more.of-it") == Trace(ID, SPAN)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "nonsense",
        f"ff-{ID}-{SPAN}-01",
        f"00-{ID}-{SPAN}-01-more",
        f"00-{ID.upper()}-{SPAN}-01",
        f"00-{'0' * 32}-{SPAN}-01",
        f"00-{ID}-{'0' * 16}-01",
        f"00-{ID[:-1]}-{SPAN}-01",
        f"00-{ID}-{SPAN}-1",
        f"00-{ID}-{SPAN}-01<script>",
    ],
)
def test_what_is_not_valid_is_no_trace(text: str) -> None:
    assert parse(text) is None
    assert valid({"traceparent": text, "tracestate": "a=1"}) == {}


def test_a_state_is_kept_beside_its_parent() -> None:
    assert valid({"traceparent": GOOD, "tracestate": "a=1", "x": "y"}) == {
        "traceparent": GOOD,
        "tracestate": "a=1",
    }


def test_the_trace_of_the_event_comes_before_that_of_the_request() -> None:
    other = GOOD.replace(ID, "1" * 32)
    found = traces({"traceparent": GOOD, "ce-traceparent": other})
    assert [t.trace_id for t in found] == ["1" * 32, ID]
    assert len(traces({"traceparent": GOOD, "ce-traceparent": GOOD})) == 1
