"""The schema of `receive.sql`, and its parser."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from connectors.sdk.manifest.operator_parser import OperatorParser
from connectors.sdk.manifest.problems import Position
from connectors.sdk.manifest.schema_elements import (
    DURATION,
    INTEGER,
    TEXT,
    TEXTS,
    closed_object_schema,
)
from connectors.sdk.manifest.sql_rule import NAME, SqlRule
from connectors.sdk.parse_setting_values import parse_duration
from connectors.sdk.sql_rows import DATABASE_KINDS

AT: Position = ("receive", "sql")
MAX_SIZE = 2_000
SQL = closed_object_schema(
    {
        "every": DURATION,
        "database": closed_object_schema(
            {
                "kind": {"enum": list(DATABASE_KINDS)},
                **dict.fromkeys(("host", "port", "name", "user", "password"), TEXT),
            },
            *("kind", "host", "name", "user", "password"),
        ),
        "view": TEXT,
        "columns": TEXTS,
        "watermark": TEXT,
        "key": TEXTS,
        "group": TEXTS,
        "record_key": TEXT,
        "size": INTEGER,
        "overlap": TEXT,
        "start": TEXT,
    },
    *("every", "database", "view", "watermark", "key"),
)


def parse_sql(parser: OperatorParser, data: Mapping[str, Any]) -> SqlRule:
    """Parse `receive.sql`."""
    parser.built_in_names |= {"secret"}
    names = {n: _texts(data.get(n)) for n in ("columns", "key", "group")}
    for column in (data["watermark"], *names["columns"], *names["key"], *names["group"]):
        if not NAME.fullmatch(column):
            parser.report(AT, f"{column[:40]!r} is not the name of a column")
    needed = {data["watermark"], *names["key"], *names["group"]}
    if names["columns"] and (missing := sorted(needed - set(names["columns"]))):
        parser.report((*AT, "columns"), f"the columns need {', '.join(missing)}")
    overlap = data.get("overlap", "0")
    size = int(data.get("size", 500))
    if not 1 <= size <= MAX_SIZE:
        parser.report((*AT, "size"), f"the size is from 1 to {MAX_SIZE:,}")
    return SqlRule(
        every=parser.parse_or_report_and_return_default(
            parse_duration, data["every"], (*AT, "every"), timedelta()
        ),
        kind=data["database"]["kind"],
        database={
            name: parser.template(text, (*AT, "database", name))
            for name, text in data["database"].items()
            if name != "kind"
        },
        view=parser.template(data["view"], (*AT, "view")),
        watermark=data["watermark"],
        key=names["key"],
        columns=names["columns"],
        group=names["group"],
        record_key=parser.template(data["record_key"], (*AT, "record_key"))
        if "record_key" in data
        else None,
        size=size,
        overlap=int(overlap)
        if overlap.isdigit()
        else parser.parse_or_report_and_return_default(
            parse_duration, overlap, (*AT, "overlap"), timedelta()
        ),
        start=data.get("start", ""),
    )


def _texts(value: Any) -> tuple[str, ...]:
    return (value,) if isinstance(value, str) else tuple(value or ())
