"""Untrusted JSON: exact numbers, limits, and errors with path and detail."""

import json
from decimal import Decimal

import pytest

from connectors.sdk.payload import (
    MAX_DEPTH,
    MAX_KEYS,
    MAX_STRING,
    Node,
    ParkReason,
    PayloadError,
    load_json,
    parse_decimal,
)


def load_error(body: bytes) -> PayloadError:
    with pytest.raises(PayloadError) as caught:
        load_json(body)
    return caught.value


def document(value: object) -> Node:
    return load_json(json.dumps(value).encode())


@pytest.mark.parametrize("body", [b"", b" \r\n\t"])
def test_an_empty_body_has_reason_empty(body: bytes) -> None:
    assert load_error(body).reason is ParkReason.EMPTY


@pytest.mark.parametrize(
    "body",
    [
        b'{"a": 1', b'{"a": 1,}', b"{'a': 1}", b'{"a": 1} // why', b'{"a": 1}{"a": 2}',
        b'{"a": 1}\n{"a": 2}', b'{"a": 1} x', b'{"a": "x\ny"}', b'{"a": "\x01"}',
        b'{"a": 1, "a": 2}', b'{"b": {"a": 1, "a": 1}}', b"<order/>", b"01", b"+1", b".5",
    ],
)  # fmt: skip
def test_anything_but_a_single_json_document_has_reason_syntax(body: bytes) -> None:
    assert load_error(body).reason is ParkReason.SYNTAX


@pytest.mark.parametrize("text", ["null", '"order"', "7", "[1]", "true"])
def test_another_type_instead_of_an_object_has_reason_schema(text: str) -> None:
    node = load_json(text.encode())
    for read in (node.keys, lambda: node.text_at("id"), lambda: node.required_text("id")):
        with pytest.raises(PayloadError) as caught:
            read()
        assert caught.value.reason is ParkReason.SCHEMA


@pytest.mark.parametrize("depth", [MAX_DEPTH + 1, 1_100, 100_000])
@pytest.mark.parametrize("pair", [("[", "]"), ('{"a":', "}")])
def test_deep_nesting_is_rejected_before_parsing(depth: int, pair: tuple[str, str]) -> None:
    body = pair[0] * depth + "1" + pair[1] * depth
    assert load_error(body.encode()).reason is ParkReason.DEPTH
    assert load_error((pair[0] * depth).encode()).reason is ParkReason.DEPTH


def test_maximum_depth_is_accepted_and_brackets_in_text_do_not_count() -> None:
    load_json(b"[" * MAX_DEPTH + b"]" * MAX_DEPTH)
    text = '\\"' + "[{" * 1_000
    assert document({"a": text}).text_at("a") == text


def test_too_many_keys_have_reason_size() -> None:
    inner = {str(n): n for n in range(MAX_KEYS // 2)}
    assert (
        load_error(json.dumps([inner, inner, {"one": "more"}]).encode()).reason is ParkReason.SIZE
    )
    load_json(json.dumps([inner, inner]).encode())


def test_too_long_text_has_reason_size() -> None:
    assert len(document({"a": "x" * MAX_STRING}).text_at("a")) == MAX_STRING
    with pytest.raises(PayloadError) as caught:
        document({"a": "x" * (MAX_STRING + 1)}).text_at("a")
    assert (caught.value.reason, caught.value.path) == (ParkReason.SIZE, "a")


@pytest.mark.parametrize(
    "digits", ["NaN", "Infinity", "-Infinity", "9" * 400, "9" * 5_000, "9" * 140_000, "1e999999999"]
)
def test_infinite_and_too_long_numbers_have_reason_number(digits: str) -> None:
    assert load_error(f'{{"a": {digits}}}'.encode()).reason is ParkReason.NUMBER


def test_numbers_and_ids_are_exact() -> None:
    node = load_json(
        b'{"id": 9007199254740993, "price": 12345678901234567890.12345678, "a": 0.1, "b": 0.20}'
    )
    assert node.required_text("id") == "9007199254740993"
    assert node.decimal_at("price") == Decimal("12345678901234567890.12345678")
    assert (node.decimal_at("a") or 0) + (node.decimal_at("b") or 0) == Decimal("0.3")
    assert node.text_at("b") == "0.20"


@pytest.mark.parametrize("escape", ["\\u0000", "\\ud800", "\\udfff"])
def test_characters_postgresql_rejects_are_replaced_and_reported(escape: str) -> None:
    node = load_json(f'{{"a": "x{escape}y", "b": "plain"}}'.encode())
    assert node.text_at("b") == "plain"
    assert not node.was_sanitized
    assert node.text_at("a") == "x\N{REPLACEMENT CHARACTER}y"
    assert node.was_sanitized


def test_a_surrogate_pair_is_an_ordinary_character() -> None:
    node = load_json(b'{"a": "\\ud83d\\ude9a"}')
    assert node.text_at("a") == "\N{DELIVERY TRUCK}"
    assert not node.was_sanitized


@pytest.mark.parametrize(
    "body", [b'{"a": "\xff"}', b'{"a": "\xed\xa0\x80"}', '{"a": "x"}'.encode("utf-16")]
)
def test_invalid_utf_8_has_reason_encoding(body: bytes) -> None:
    assert load_error(body).reason is ParkReason.ENCODING


def test_a_bom_is_accepted() -> None:
    assert load_json(b"\xef\xbb\xbf" + b'{"a": 1}').required_text("a") == "1"


@pytest.mark.parametrize("text", ["1,000", "1.000,50", "five", "1_000", "nan", "inf", "0x1F", "½"])
def test_a_formatted_number_is_rejected(text: str) -> None:
    with pytest.raises(PayloadError) as caught:
        document({"lines": [{"quantity": text}]}).list_at("lines")[0].decimal_at("quantity")
    assert (caught.value.reason, caught.value.path) == (ParkReason.NUMBER, "lines[0].quantity")


def test_blanks_around_a_number_are_ignored_and_empty_text_is_absent() -> None:
    assert document({"a": " 5 "}).decimal_at("a") == 5
    assert document({"a": ""}).decimal_at("a") is None
    assert document({}).decimal_at("a") is None
    assert parse_decimal("-2.50", "a") == Decimal("-2.5")


@pytest.mark.parametrize("value", [True, [], {}, [5]])
def test_another_type_instead_of_a_number_has_reason_schema(value: object) -> None:
    with pytest.raises(PayloadError) as caught:
        document({"a": value}).decimal_at("a")
    assert caught.value.reason is ParkReason.SCHEMA


def test_usual_spellings_of_booleans_are_accepted() -> None:
    assert all(document({"a": value}).boolean_at("a") for value in (True, 1, "1", "True"))
    assert not any(document({"a": w}).boolean_at("a") for w in (False, 0, "0", "", None, "FALSE"))
    with pytest.raises(PayloadError):
        document({"a": "perhaps"}).boolean_at("a")


def test_an_error_has_path_expected_type_and_actual_type() -> None:
    node = document({"order": {"lines": [{}, {"id": []}], "customer": None}})
    line = node.required_object("order").list_at("lines")[1]
    with pytest.raises(PayloadError, match=r"schema: order\.lines\[1\]\.id: .*text, got a list"):
        line.required_text("id")
    with pytest.raises(PayloadError, match=r"order\.customer: expected an object, got nothing"):
        node.required_object("order").required_object("customer")
    with pytest.raises(PayloadError, match=r"order: expected a list, got an object"):
        node.list_at("order")
    assert node.required_object("order").list_at("nowhere") == []
    assert not node.required_object("order").has_value("customer")
