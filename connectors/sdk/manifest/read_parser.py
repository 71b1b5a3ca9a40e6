"""Parse `read`: how the bytes of a message become records."""

from collections.abc import Mapping
from typing import Any

from connectors.sdk import parse_setting_values
from connectors.sdk.fixed_width import FixedWidthColumn, FixedWidthLayout, RowType
from connectors.sdk.manifest.definition import EnvelopeRule, ReadRule
from connectors.sdk.manifest.operator_parser import OperatorParser
from connectors.sdk.manifest.paths import ScalarReadingRules, parse_path
from connectors.sdk.manifest.problems import Position


def parse_read(parser: OperatorParser, data: Mapping[str, Any]) -> ReadRule:
    """Parse the section `read`, and report its problems."""
    charset = data.get("charset", "utf-8")
    parser.parse_or_report_and_return_default(
        parse_setting_values.check_charset, charset, ("read", "charset"), None
    )
    reading = ScalarReadingRules(
        frozenset(data.get("blank", ())), data.get("decimal", "."), data.get("thousands", "")
    )
    is_fixed_width = data["format"] == "fixed_width"
    if "skip_begins" in data and data["format"] not in {"csv", "tsv"}:
        parser.report(("read", "skip_begins"), "only tables (csv, tsv) have it; see row_types")
    _check_kind_of_columns(parser, data, is_fixed_width=is_fixed_width)
    columns = [item for item in data.get("columns", ()) if isinstance(item, str)]
    return ReadRule(
        format=data["format"],
        records=parser.parse_list_path(data["records"], ("read", "records"))
        if "records" in data
        else None,
        answers=tuple(
            parser.parse_list_path(path, ("read", "answers", index))
            for index, path in enumerate(data.get("answers", ()))
        ),
        envelope=_parse_envelope(parser, data["envelope"]) if "envelope" in data else None,
        reading=reading,
        delimiter=data.get("delimiter", "\t" if data["format"] == "tsv" else ","),
        quote=data.get("quote", '"'),
        charset=charset,
        has_header=data.get("header", "yes") == "yes",
        columns=tuple(columns),
        skip_rows=int(data.get("skip_rows", 0)),
        skip_begins=frozenset(data.get("skip_begins", ())),
        group=tuple(data.get("group", ())),
        layout=_parse_layout(parser, data, charset) if is_fixed_width else None,
    )


def _parse_envelope(parser: OperatorParser, data: Mapping[str, Any]) -> EnvelopeRule:
    at: Position = ("read", "envelope")
    path = parser.parse_or_report_and_return_default(
        parse_path, data["record"], (*at, "record"), parse_path(".")
    )
    return EnvelopeRule(path, parser.condition(data.get("if", {}), (*at, "if")))


def _check_kind_of_columns(
    parser: OperatorParser, data: Mapping[str, Any], *, is_fixed_width: bool
) -> None:
    """Columns of a table are names; those of fixed width also have their position."""
    for index, item in enumerate(data.get("columns", ())):
        if isinstance(item, str) is is_fixed_width:
            expected = "name, from and width" if is_fixed_width else "the name of the column"
            parser.report(("read", "columns", index), f"give {expected}")


def _parse_layout(
    parser: OperatorParser, data: Mapping[str, Any], charset: str
) -> FixedWidthLayout:
    at: Position = ("read",)
    if ("columns" in data) is ("row_types" in data):
        parser.report(at, "fixed_width needs either columns or row_types")
    kinds = tuple(
        _parse_row_type(parser, item, (*at, "row_types", index))
        for index, item in enumerate(data.get("row_types", ()))
    )
    if kinds and not any(kind.columns and not kind.list_name for kind in kinds):
        parser.report((*at, "row_types"), "one type of row must begin a record, without list")
    return FixedWidthLayout(
        _parse_columns(parser, data.get("columns", ()), (*at, "columns")),
        kinds,
        charset,
        int(data.get("skip_rows", 0)),
        data.get("decimal", "."),
    )


def _parse_row_type(parser: OperatorParser, data: Mapping[str, Any], at: Position) -> RowType:
    is_skipped = data.get("skip") == "yes"
    if is_skipped is ("columns" in data):
        parser.report(at, "give either columns or `skip: yes`")
    columns = _parse_columns(parser, data.get("columns", ()), (*at, "columns"))
    return RowType(data["begins"], columns, data.get("list", ""), is_skipped)


def _parse_columns(
    parser: OperatorParser, items: Any, at: Position
) -> tuple[FixedWidthColumn, ...]:
    columns = tuple(
        FixedWidthColumn(
            item["name"], int(item["from"]), int(item["width"]), int(item.get("decimals", 0))
        )
        for item in items
        if isinstance(item, dict)
    )
    names = [column.name for column in columns]
    for index, column in enumerate(columns):
        if column.name in names[:index]:
            parser.report((*at, index, "name"), f"the column {column.name!r} appears twice")
    return columns
