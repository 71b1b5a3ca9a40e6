"""The single values of raw documents: paths, values, and the text with another value."""

import json

import pytest

from connectors.sdk.payload import load_json
from connectors.sdk.raw_fields import other_contents, raw_fields

DOCUMENT = """{"order": {"no": "A\\u00e9\\"1", "lines": [{"qty": 2.50, "ok": true, "gone": null},
 {"qty": -1}], "empty": {}, "list": []}, "name": "Zoë, {x}"}"""


def values(text: str) -> dict[str, str]:
    return {field.path: field.value for field in raw_fields(text)}


def test_json_values_have_the_paths_that_errors_name() -> None:
    expected = {
        "order.no": 'Aé"1',
        "order.lines[0].qty": "2.50",
        "order.lines[0].ok": "true",
        "order.lines[1].qty": "-1",
        "name": "Zoë, {x}",
    }
    assert values(DOCUMENT) == expected
    node = load_json(DOCUMENT.encode()).get("order").list_at("lines")[1].get("qty")
    assert node.path in expected
    assert values('[{"a": 1}, [2, "x"]]') == {"[0].a": "1", "[1][0]": "2", "[1][1]": "x"}


def test_each_document_of_json_lines_has_its_own_paths() -> None:
    assert values('{"a": 1}\n{"a": 2}\n') == {"a": "1", "document 2: a": "2"}


@pytest.mark.parametrize("broken", ["{", '{"a"', '{"a": ', "}", "[1,,", '{"a": "x', "{]", "[}]}"])
def test_broken_json_ends_without_an_error(broken: str) -> None:
    raw_fields(broken)


def test_a_replaced_value_changes_nothing_else() -> None:
    for field in raw_fields(DOCUMENT):
        changed = field.replaced_in(DOCUMENT, "7")
        assert json.loads(changed)
        others = {path: value for path, value in values(DOCUMENT).items() if path != field.path}
        assert values(changed) == others | {field.path: "7"}
    name = raw_fields(DOCUMENT)[-1]
    assert json.loads(name.replaced_in(DOCUMENT, 'a"\\b'))["name"] == 'a"\\b'


def test_x12_elements_are_named_by_segment_and_position() -> None:
    text = "ST*945*0001~\nW06*N*SO-1**~\nN1*ST*Shop~\nSE*4*0001~\n"
    shown = values(text)
    assert shown["segment 2 W0602"] == "SO-1"
    assert shown["segment 3 N102"] == "Shop"
    assert "segment 2 W0603" not in shown
    field = next(f for f in raw_fields(text) if f.value == "SO-1")
    assert "W06*N*SO-2**~" in field.replaced_in(text, "SO-2")


def test_cells_of_tables_are_named_by_line_and_column() -> None:
    text = 'ORDER;QTY\r\n"SO 1";5\r\n\r\nSO-2;7;8\r\nSO-3;\r\n'
    assert values(text) == {
        "line 2.ORDER": "SO 1",
        "line 2.QTY": "5",
        "line 5.ORDER": "SO-3",
    }
    assert raw_fields("plain text without a table") == []
    assert raw_fields("") == []


def test_other_contents_are_of_the_same_kind() -> None:
    assert other_contents("true") == ["false"]
    assert other_contents("2026-03-31T08:00:00Z") == ["2026-03-01T08:00:00Z"]
    assert other_contents("2026-03-01") == ["2026-03-02"]
    assert other_contents("12.50") == ["12.51", "12.59", "22.50"]
    assert "shippee" in other_contents("shipped")
    assert other_contents("SO-9")[0] == "SO-0"
    assert other_contents("--") == []
    assert all("é" not in text for text in other_contents("é"))


def test_xml_is_no_table_even_if_it_has_commas() -> None:
    assert raw_fields('<a x="1,2">\n<b>3,4</b>\n</a>') == []
