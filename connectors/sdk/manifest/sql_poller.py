"""Poll a view of a database in the order of its watermark and key.

Each page continues after the last row of the one before, so rows that change meanwhile hide no
others: they move to the end. A round begins an overlap before the newest watermark, for rows whose
transactions were committed late.
"""

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

from connectors.sdk.encode_json import encode_json
from connectors.sdk.manifest.build_poll_requests import RequestTemplateTexts
from connectors.sdk.manifest.paths import ScalarReadingRules, Scope
from connectors.sdk.manifest.sql_rule import NAME, SqlRule
from connectors.sdk.payload import Node, PayloadError, load_json
from connectors.sdk.sql_rows import DEFAULT_PORTS, DatabaseAddress, RowQuery
from connectors.sdk.webhook_and_poll_types import PollContext, PolledPage, PolledRecord, PollError

# A row dated further ahead would hide every later change; times may be of any zone.
MAX_AHEAD = timedelta(days=1)
# A group with more rows is no document.
MAX_ROWS_OF_GROUPS = 20_000
MAX_JSON_INTEGER = 2**63 - 1
TYPE_NAMES: tuple[tuple[type, str], ...] = (
    (int, "int"),
    (Decimal, "decimal"),
    (float, "float"),
    (str, "text"),
)
Row = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class SqlPoller:
    """One poll of one source."""

    rule: SqlRule
    texts: Mapping[str, str]
    reading: ScalarReadingRules
    secrets: Sequence[bytes]
    context: PollContext

    def pages(self, cursor: str) -> Iterator[PolledPage]:
        """Yield pages with the cursor to store in the same transaction. Raises PollError."""
        newest, after = _parse_cursor(cursor)
        since = None if after else self._minus_overlap(newest)
        database, view = self._database(), self._view()
        while True:
            rule = self.rule
            query = RowQuery(database, view, rule.order, rule.size, rule.columns, after, since)
            rows = self._read(query)
            if rows:
                after = self._order_values(rows[-1])
                newest = self._newest(newest, rows)
            is_last = len(rows) < rule.size
            records = self._records(query, rows)
            yield PolledPage(records, _cursor_text(newest, () if is_last else after))
            if is_last:
                return

    def _read(self, query: RowQuery) -> Sequence[Row]:
        try:
            return self.context.read_rows(query)
        except ConnectionError as error:
            raise PollError(str(error)) from error

    def _records(self, query: RowQuery, rows: Sequence[Row]) -> tuple[PolledRecord, ...]:
        group = self.rule.group
        if not group or not rows:
            return tuple(self._record(dict(row)) for row in rows)
        keys = tuple(dict.fromkeys(tuple(_value(row, name) for name in group) for row in rows))
        query = RowQuery(
            database=query.database,
            view=query.view,
            order=self.rule.order,
            limit=MAX_ROWS_OF_GROUPS,
            columns=query.columns,
            matching=(group, keys),
        )
        complete = self._read(query)
        if len(complete) >= MAX_ROWS_OF_GROUPS:
            raise PollError(
                f"{len(keys)} groups have {MAX_ROWS_OF_GROUPS:,} or more rows: use a smaller size"
            )
        members: dict[tuple[Any, ...], list[Row]] = {key: [] for key in keys}
        for row in complete:
            members.setdefault(tuple(_value(row, name) for name in group), []).append(row)
        key_order = tuple(name for name in self.rule.key if name not in group)
        return tuple(
            self._record(_document_of_group(group_rows, key_order))
            for group_rows in members.values()
            if group_rows
        )

    def _record(self, row: dict[str, Any]) -> PolledRecord:
        """A row or a group as a message. Without a declared key, its content identifies it."""
        body = encode_json(json_value(row))
        key = ""
        if self.rule.record_key:
            scope = Scope(Node(load_json(body).value, "", [False]), self.texts, self.reading)
            try:
                key = self.rule.record_key.render(scope)
            except PayloadError:
                key = ""
        return PolledRecord(key or f"sha256 {hashlib.sha256(body).hexdigest()}", body)

    def _order_values(self, row: Row) -> tuple[Any, ...]:
        values = tuple(_value(row, name) for name in self.rule.order)
        if None in values:
            name = self.rule.order[values.index(None)]
            raise PollError(f"the column {name} of the view is null: it orders the rows")
        return values

    def _newest(self, newest: Any, rows: Sequence[Row]) -> Any:
        for row in rows:
            value = _value(row, self.rule.watermark)
            if _is_far_ahead(value, self.context.now):
                continue
            try:
                newest = value if newest is None or value > newest else newest
            except TypeError:
                raise PollError(f"the type of {self.rule.watermark} has changed") from None
        return newest

    def _minus_overlap(self, newest: Any) -> Any:
        overlap = self.rule.overlap
        if newest is None:
            return _parse_start(self.rule.start)
        if isinstance(overlap, timedelta) and isinstance(newest, datetime):
            return newest - overlap
        if isinstance(overlap, timedelta) and isinstance(newest, date):
            return newest - timedelta(days=overlap.days + 1)
        if isinstance(overlap, int) and isinstance(newest, int | Decimal):
            return newest - overlap
        if overlap:
            raise PollError(
                f"the overlap does not fit the watermark {self.rule.watermark}: give a duration "
                "for a time, and a number for a number"
            )
        return newest

    def _database(self) -> DatabaseAddress:
        secret = self.secrets[0].decode("utf-8", "replace") if self.secrets else ""
        texts = RequestTemplateTexts({**self.texts, "secret": secret}, self.reading)
        given = {name: texts.render(text) for name, text in self.rule.database.items()}
        port = given.get("port", "") or str(DEFAULT_PORTS[self.rule.kind])
        if not (port.isdigit() and 0 < int(port) < 65_536):
            raise PollError(f"{port[:20]!r} is not a port")
        return DatabaseAddress(
            self.rule.kind,
            given["host"].strip(),
            int(port),
            given["name"],
            given["user"],
            given["password"],
        )

    def _view(self) -> str:
        view = RequestTemplateTexts(self.texts, self.reading).render(self.rule.view)
        names = view.split(".")
        if len(names) > 3 or not all(NAME.fullmatch(name) for name in names):
            raise PollError(f"{view[:80]!r} is not the name of a view")
        return view


def _document_of_group(rows: list[Row], key_order: Sequence[str]) -> dict[str, Any]:
    """The values that all rows share, and the rows in the order of their key."""
    ordered = sorted(rows, key=lambda row: [_sort_key(_value(row, name)) for name in key_order])
    first = ordered[0]
    shared = {name: value for name, value in first.items() if all(r[name] == value for r in rows)}
    return {**shared, "rows": [dict(row) for row in ordered]}


def _sort_key(value: Any) -> tuple[bool, str, Any]:
    return (value is None, "" if value is None else type(value).__name__, value or "")


def _value(row: Row, name: str) -> Any:
    """The value of a column; databases differ in the case of names without quotes."""
    if name in row:
        return row[name]
    for known, value in row.items():
        if known.lower() == name.lower():
            return value
    raise PollError(f"the view has no column {name}")


def _is_far_ahead(value: Any, now: datetime) -> bool:
    if isinstance(value, datetime):
        return (value if value.tzinfo else value.replace(tzinfo=UTC)) > now + MAX_AHEAD
    return isinstance(value, date) and value > (now + MAX_AHEAD).date()


def json_value(value: Any) -> Any:
    """Return a value of a database as JSON has it; times in ISO 8601, bytes in hex."""
    if isinstance(value, Mapping):
        return {str(name): json_value(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [json_value(item) for item in value]
    if isinstance(value, datetime | date):
        return value.isoformat()
    if isinstance(value, bytes | bytearray | memoryview):
        return bytes(value).hex()
    if isinstance(value, int) and not -MAX_JSON_INTEGER <= value <= MAX_JSON_INTEGER:
        return Decimal(value)
    if value is None or isinstance(value, bool | int | str):
        return value
    if isinstance(value, Decimal | float):
        number = Decimal(str(value))
        return number if number.is_finite() else None
    return str(value)


def _parse_start(text: str) -> Any:
    if not text:
        return None
    if text.isdigit():
        return int(text)
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        raise PollError(f"start: {text[:40]!r} is neither a time nor a number") from None


def _cursor_text(newest: Any, after: Sequence[Any]) -> str:
    return json.dumps({"newest": _encode(newest), "after": [_encode(value) for value in after]})


def _parse_cursor(cursor: str) -> tuple[Any, tuple[Any, ...]]:
    if not cursor:
        return None, ()
    try:
        data = json.loads(cursor)
        return _decode(data["newest"]), tuple(_decode(value) for value in data["after"])
    except (ValueError, KeyError, TypeError, ArithmeticError):
        raise PollError("the stored cursor is invalid") from None


def _encode(value: Any) -> list[str] | None:
    if value is None:
        return None
    if isinstance(value, datetime | date):
        return ["time" if isinstance(value, datetime) else "date", value.isoformat()]
    for kind, name in TYPE_NAMES:
        if isinstance(value, kind):
            return [name, str(value)]
    if isinstance(value, bytes):
        return ["bytes", value.hex()]
    raise PollError(f"rows cannot be ordered by a {type(value).__name__}")


def _decode(data: Any) -> Any:
    if data is None:
        return None
    kind, text = data
    decoders: dict[str, Any] = {
        "time": datetime.fromisoformat,
        "date": date.fromisoformat,
        "int": int,
        "decimal": Decimal,
        "float": float,
        "text": str,
        "bytes": bytes.fromhex,
    }
    return decoders[kind](text)
