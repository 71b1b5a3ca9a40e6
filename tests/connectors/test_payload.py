"""Reading what anyone may send: exact, bounded, and every refusal with its place and a sentence."""

import json
from decimal import Decimal

import pytest

from connectors.sdk.payload import (
    MAX_DEPTH,
    MAX_KEYS,
    MAX_STRING,
    Node,
    PayloadError,
    Reason,
    load_json,
    number,
)


def refused(body: bytes) -> PayloadError:
    with pytest.raises(PayloadError) as caught:
        load_json(body)
    return caught.value


def document(value: object) -> Node:
    return load_json(json.dumps(value).encode())


@pytest.mark.parametrize("body", [b"", b" \r\n\t"])
def test_an_empty_body_is_called_empty(body: bytes) -> None:
    assert refused(body).reason is Reason.EMPTY


@pytest.mark.parametrize(
    "body",
    [
        b'{"a": 1', b'{"a": 1,}', b"{'a': 1}", b'{"a": 1} // why', b'{"a": 1}{"a": 2}',
        b'{"a": 1}\n{"a": 2}', b'{"a": 1} x', b'{"a": "x\ny"}', b'{"a": "\x01"}',
        b'{"a": 1, "a": 2}', b'{"b": {"a": 1, "a": 1}}', b"<order/>", b"01", b"+1", b".5",
    ],
)  # fmt: skip
def test_what_is_not_one_json_document_is_a_fault_of_syntax(body: bytes) -> None:
    assert refused(body).reason is Reason.SYNTAX


@pytest.mark.parametrize("text", ["null", '"order"', "7", "[1]", "true"])
def test_another_value_where_an_object_is_due_is_a_fault_of_schema(text: str) -> None:
    node = load_json(text.encode())
    for read in (node.keys, lambda: node.text("id"), lambda: node.need("id")):
        with pytest.raises(PayloadError) as caught:
            read()
        assert caught.value.reason is Reason.SCHEMA


@pytest.mark.parametrize("depth", [MAX_DEPTH + 1, 1_100, 100_000])
@pytest.mark.parametrize("pair", [("[", "]"), ('{"a":', "}")])
def test_deep_nesting_is_refused_before_it_is_read(depth: int, pair: tuple[str, str]) -> None:
    body = pair[0] * depth + "1" + pair[1] * depth
    assert refused(body.encode()).reason is Reason.DEPTH
    assert refused((pair[0] * depth).encode()).reason is Reason.DEPTH


def test_as_deep_as_allowed_is_read_and_brackets_in_text_are_no_nesting() -> None:
    load_json(b"[" * MAX_DEPTH + b"]" * MAX_DEPTH)
    text = '\\"' + "[{" * 1_000
    assert document({"a": text}).text("a") == text


def test_too_many_keys_are_a_fault_of_size() -> None:
    inner = {str(n): n for n in range(MAX_KEYS // 2)}
    assert refused(json.dumps([inner, inner, {"one": "more"}]).encode()).reason is Reason.SIZE
    load_json(json.dumps([inner, inner]).encode())


def test_a_text_that_is_too_long_is_a_fault_of_size() -> None:
    assert len(document({"a": "x" * MAX_STRING}).text("a")) == MAX_STRING
    with pytest.raises(PayloadError) as caught:
        document({"a": "x" * (MAX_STRING + 1)}).text("a")
    assert (caught.value.reason, caught.value.path) == (Reason.SIZE, "a")


@pytest.mark.parametrize(
    "digits", ["NaN", "Infinity", "-Infinity", "9" * 400, "9" * 5_000, "9" * 140_000, "1e999999999"]
)
def test_what_is_no_finite_number_of_bearable_length_is_a_fault_of_number(digits: str) -> None:
    assert refused(f'{{"a": {digits}}}'.encode()).reason is Reason.NUMBER


def test_numbers_and_ids_stay_exact_digit_by_digit() -> None:
    node = load_json(
        b'{"id": 9007199254740993, "price": 12345678901234567890.12345678, "a": 0.1, "b": 0.20}'
    )
    assert node.need("id") == "9007199254740993"
    assert node.decimal("price") == Decimal("12345678901234567890.12345678")
    assert (node.decimal("a") or 0) + (node.decimal("b") or 0) == Decimal("0.3")
    assert node.text("b") == "0.20"


@pytest.mark.parametrize("escape", ["\\u0000", "\\ud800", "\\udfff"])
def test_characters_no_database_keeps_are_replaced_and_told(escape: str) -> None:
    node = load_json(f'{{"a": "x{escape}y", "b": "plain"}}'.encode())
    assert node.text("b") == "plain"
    assert not node.sanitised
    assert node.text("a") == "x\N{REPLACEMENT CHARACTER}y"
    assert node.sanitised


def test_a_pair_of_surrogates_is_a_character_like_any_other() -> None:
    node = load_json(b'{"a": "\\ud83d\\ude9a"}')
    assert node.text("a") == "\N{DELIVERY TRUCK}"
    assert not node.sanitised


@pytest.mark.parametrize(
    "body", [b'{"a": "\xff"}', b'{"a": "\xed\xa0\x80"}', '{"a": "x"}'.encode("utf-16")]
)
def test_what_is_not_utf_8_is_a_fault_of_encoding(body: bytes) -> None:
    assert refused(body).reason is Reason.ENCODING


def test_a_byte_order_mark_is_no_fault() -> None:
    assert load_json(b"\xef\xbb\xbf" + b'{"a": 1}').need("a") == "1"


@pytest.mark.parametrize("text", ["1,000", "1.000,50", "five", "1_000", "nan", "inf", "0x1F", "½"])
def test_a_number_written_for_people_is_refused(text: str) -> None:
    with pytest.raises(PayloadError) as caught:
        document({"lines": [{"quantity": text}]}).items("lines")[0].decimal("quantity")
    assert (caught.value.reason, caught.value.path) == (Reason.NUMBER, "lines[0].quantity")


def test_blanks_around_a_number_mean_nothing_and_an_empty_one_is_absent() -> None:
    assert document({"a": " 5 "}).decimal("a") == 5
    assert document({"a": ""}).decimal("a") is None
    assert document({}).decimal("a") is None
    assert number("-2.50", "a") == Decimal("-2.5")


@pytest.mark.parametrize("value", [True, [], {}, [5]])
def test_a_number_of_another_type_is_a_fault_of_schema(value: object) -> None:
    with pytest.raises(PayloadError) as caught:
        document({"a": value}).decimal("a")
    assert caught.value.reason is Reason.SCHEMA


def test_truth_is_read_in_its_usual_spellings() -> None:
    assert all(document({"a": word}).boolean("a") for word in (True, 1, "1", "True"))
    assert not any(document({"a": w}).boolean("a") for w in (False, 0, "0", "", None, "FALSE"))
    with pytest.raises(PayloadError):
        document({"a": "perhaps"}).boolean("a")


def test_a_refusal_says_where_what_was_expected_and_what_was_there() -> None:
    node = document({"order": {"lines": [{}, {"id": []}], "customer": None}})
    line = node.child("order").items("lines")[1]
    with pytest.raises(PayloadError, match=r"schema: order\.lines\[1\]\.id: .*text, got a list"):
        line.need("id")
    with pytest.raises(PayloadError, match=r"order\.customer: expected an object, got nothing"):
        node.child("order").child("customer")
    with pytest.raises(PayloadError, match=r"order: expected a list, got an object"):
        node.items("order")
    assert node.child("order").items("nowhere") == []
    assert not node.child("order").has("customer")
