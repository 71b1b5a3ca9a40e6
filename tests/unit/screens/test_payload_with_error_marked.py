"""The place of the error is marked in the payload."""

import pytest

from visibility.screens.messages.payload_with_error_marked import (
    format_json_and_highlight_error,
    highlight_position,
)

PAYLOAD = '{"order": {"lines": [{"sku": "A"}, {"sku": 7, "qty": 1.10}]}}'


@pytest.mark.parametrize(
    ("detail", "marked"),
    [
        ("order.lines[1].sku: expected text, got a number", '"sku": 7,'),
        ("order.lines[1].unit: expected text, got nothing", "{"),
        ("order.name: expected text", '"order": {'),
        ("$: expected a list", "{"),
        ("unknown.path: expected text", ""),
        ("", ""),
    ],
)
def test_line_of_the_path_or_of_what_contains_it_is_marked(detail: str, marked: str) -> None:
    text = format_json_and_highlight_error(PAYLOAD, detail)
    assert text is not None
    assert text.marked.strip() == marked
    assert '"qty": 1.10' in text.before + text.marked + text.after


def test_position_in_a_document_that_is_no_json_is_marked() -> None:
    assert format_json_and_highlight_error('{"id": ', "") is None
    text = highlight_position('{"id":\n tru}', "Expecting value at line 2 column 2")
    assert (text.before, text.marked, text.line) == ('{"id":\n ', "tru}", 2)
    torn = highlight_position('{"id": ', "Expecting value at line 1 column 8")
    assert torn.marked == '{"id": '
    assert highlight_position("ISA*00", "SE01 says 14 segments").marked == ""
    assert highlight_position("{", "at line 9 column 1").marked == ""


def test_half_surrogate_pairs_are_replaced_so_that_the_page_can_be_encoded() -> None:
    payload = r'{"note": "a\ud800b", "\udfff": {"sku": 7}, "smile": "\ud83d\ude00"}'
    text = format_json_and_highlight_error(payload, "\ufffd.sku: expected text, got a number")
    assert text is not None
    shown = (text.before + text.marked + text.after).encode().decode()
    assert '"note": "a\ufffdb",' in shown
    assert '"smile": "\U0001f600"' in shown
    assert text.marked.strip() == '"sku": 7'
