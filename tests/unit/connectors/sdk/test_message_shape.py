"""The shape of a document, and how it differs from a learned schema."""

from connectors.sdk.message_shape import compare_with_schema, shape_fingerprint, shape_of

DOCUMENT = {
    "id": "A-1",
    "total": 1.5,
    "count": 2,
    "paid": True,
    "note": None,
    "tags": [],
    "lines": [{"sku": "X", "qty": 1}, {"sku": "Y", "gift": "yes"}],
    "by_order": {"10004711": {"state": "open"}, "ann@example.com": {"state": "open"}},
}


def test_paths_and_types_without_values_and_without_data_in_names() -> None:
    shape = shape_of(DOCUMENT)
    assert shape.fields == {
        ("id", "text"),
        ("total", "number"),
        ("count", "number"),
        ("paid", "yes or no"),
        ("lines[].sku", "text"),
        ("lines[].qty", "number"),
        ("lines[].gift", "text"),
        ("by_order.*.state", "text"),
    }
    assert shape.empty == {"note", "tags"}
    assert shape.is_complete


def test_a_list_of_records_has_the_paths_of_its_records() -> None:
    assert shape_of([{"id": 1}]).fields == {("[].id", "number")}


def test_a_document_with_very_many_or_deep_fields_is_cut() -> None:
    wide = shape_of({f"a_{letter}": 1 for letter in map(chr, range(0x4E00, 0x4E00 + 500))})
    assert len(wide.fields) == 300
    assert not wide.is_complete
    deep: dict[str, object] = {"x": 1}
    for _ in range(50):
        deep = {"n": deep}
    assert shape_of(deep).fields == frozenset()
    assert not shape_of(deep).is_complete


def changes(document: object, before: object) -> tuple[list[str], list[str], list[str]]:
    known = shape_of(before).fields
    always = frozenset(path for path, _ in known)
    changes_of_shape = compare_with_schema(shape_of(document), known, always)
    return (
        [path for path, _ in changes_of_shape.appeared],
        [path for path, _ in changes_of_shape.retyped],
        list(changes_of_shape.missing),
    )


def test_new_retyped_and_missing_fields() -> None:
    before = {"id": 1, "qty": 2, "ship": {"city": "Austin", "zip": "78701"}}
    assert changes({"id": "1", "qty": 2, "color": "red"}, before) == (["color"], ["id"], ["ship"])
    assert changes({"id": 1, "ship": {"city": "A", "zip": "1"}}, before) == ([], [], ["qty"])
    assert changes({"id": 1, "qty": 2, "ship": {"city": "A"}}, before) == ([], [], ["ship.zip"])


def test_what_is_empty_is_not_missing() -> None:
    before = {"id": 1, "ship": {"city": "Austin"}, "lines": [{"sku": "X"}], "note": "x"}
    nothing: tuple[list[str], list[str], list[str]] = ([], [], [])
    assert changes({"id": 1, "ship": None, "lines": [], "note": ""}, before) == nothing
    assert changes({"id": 1, "ship": {}, "lines": [{}], "note": None}, before) == nothing
    assert changes(
        {"id": 1, "ship": {"city": None}, "lines": [{"sku": None}], "note": "y"}, before
    ) == (nothing)


def test_a_document_that_was_cut_has_no_missing_fields() -> None:
    wide = {f"a_{letter}": 1 for letter in map(chr, range(0x4E00, 0x4E00 + 500))}
    assert changes(wide, {"id": 1})[2] == []


def test_equal_shapes_have_equal_fingerprints_and_others_do_not() -> None:
    same = {**DOCUMENT, "id": "B-2", "total": 7, "lines": DOCUMENT["lines"][:1] * 3}  # type: ignore[index]
    others = [
        {**DOCUMENT, "id": 7},
        {**DOCUMENT, "note": "x"},
        {**DOCUMENT, "color": "red"},
        {**DOCUMENT, "lines": []},
        {**DOCUMENT, "lines": [{"sku": "X", "qty": "1"}]},
        {key: value for key, value in DOCUMENT.items() if key != "paid"},
        [DOCUMENT],
    ]
    first = {**DOCUMENT, "lines": DOCUMENT["lines"][:1]}  # type: ignore[index]
    assert shape_fingerprint(same) == shape_fingerprint(first)
    prints = {shape_fingerprint(each) for each in (DOCUMENT, *others)}
    assert len(prints) == len(others) + 1
    moved = {**DOCUMENT, "by_order": {"20009999": {"state": "open"}}}
    assert shape_fingerprint(moved) == shape_fingerprint(DOCUMENT)
    deep: dict[str, object] = {"x": 1}
    for _ in range(5_000):
        deep = {"n": deep}
    assert shape_fingerprint(deep)
