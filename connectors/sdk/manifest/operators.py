"""The closed set of operators of a manifest. None of them can loop, call code or read a file."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from zoneinfo import ZoneInfo

from connectors.sdk import timestamps
from connectors.sdk.event_codec import format_rfc3339
from connectors.sdk.events import Flag
from connectors.sdk.manifest.paths import Path, Scope, Template, is_null_or_declared_blank
from connectors.sdk.payload import Node, ParkReason, PayloadError, parse_decimal
from connectors.sdk.timestamps import ParsedTime

UNIX_SECONDS, UNIX_MILLISECONDS = "unix", "unix_ms"
MAX_ELEMENTS = 100_000
# Of `2026-03-05T00:00:00Z`, all after the date.
MIDNIGHT = re.compile(r"[T ]00:00(:00(\.0+)?)?(Z|[+-]00:?00)?")


@dataclass(frozen=True, slots=True)
class ValueOperator:
    """One text: a path, a fixed text, a template, the first present or all present of several.

    It is blank unless `condition` holds. Then in this order: texts of `exceptions` become blank,
    `strip` is removed from the beginning, and `mapping` translates. An unknown text stays unchanged
    (`fallback` is None) or becomes `fallback`.
    """

    path: Path | None = None
    const: str = ""
    template: Template | None = None
    first: "tuple[ValueOperator, ...]" = ()
    join: "tuple[ValueOperator, ...]" = ()
    separator: str = " "
    exceptions: frozenset[str] = frozenset()
    strip: Template | None = None
    mapping: Mapping[str, str] | None = None
    fallback: str | None = None
    condition: "FieldCondition | None" = None

    def text_before_mapping(self, scope: Scope) -> str:
        """The text before `mapping`. Raises PayloadError."""
        if self.condition and not self.condition.holds(scope):
            return ""
        text = self._text_before_exceptions_and_strip(scope)
        if text in self.exceptions:
            return ""
        if self.strip and (prefix := self.strip.render(scope)):
            text = text.removeprefix(prefix).strip()
        return text

    def evaluate(self, scope: Scope) -> str:
        """The text; "" if there is none. Raises PayloadError."""
        text = self.text_before_mapping(scope)
        if self.mapping is None or not text:
            return text
        return self.mapping.get(text, text if self.fallback is None else self.fallback)

    def code(self, scope: Scope) -> str:
        """The text before `mapping`; of `first` without a result, the code that nothing maps."""
        text = self.text_before_mapping(scope)
        return text or next((c for value in reversed(self.first) if (c := value.code(scope))), "")

    def _text_before_exceptions_and_strip(self, scope: Scope) -> str:
        if self.path:
            return self.path.text_in(scope)
        if self.template:
            return self.template.render(scope)
        if self.first:
            return next((t for value in self.first if (t := value.evaluate(scope))), "")
        if self.join:
            texts = (value.evaluate(scope) for value in self.join)
            return self.separator.join(text for text in texts if text)
        return self.const


@dataclass(frozen=True, slots=True)
class TimeOperator:
    """A time: the first present of several values, its format, and its zone if it has no offset."""

    values: tuple[ValueOperator, ...]
    zone: Template | None = None
    format: str = ""
    # The time of the report; the state that it reports has no time of its own.
    is_time_of_report: bool = False
    # The source writes a date as midnight, usually of UTC: in America that is the evening before.
    is_midnight_a_date: bool = False

    def evaluate(self, scope: Scope) -> ParsedTime | None:
        """The time, or None if it is blank. Raises PayloadError."""
        for value in self.values:
            if text := value.evaluate(scope):
                path = value.path.resolve(scope).path if value.path else ""
                if parsed := self._parse(text, path, scope):
                    flags = (Flag.TIME_OF_REPORT,) if self.is_time_of_report else ()
                    return ParsedTime(parsed.time, (*parsed.flags, *flags))
        return None

    def date_or_time_text(self, scope: Scope) -> str:
        """A date as ISO 8601 date in its own zone, a time in UTC; "" if blank."""
        parsed = self.evaluate(scope)
        if parsed is None:
            return ""
        if Flag.DATE_ONLY not in parsed.flags:
            return format_rfc3339(parsed.time)
        return parsed.time.astimezone(ZoneInfo(self._zone_name(scope) or "UTC")).date().isoformat()

    def _zone_name(self, scope: Scope) -> str | None:
        return (self.zone.render(scope) or "UTC") if self.zone else None

    def _parse(self, text: str, path: str, scope: Scope) -> ParsedTime | None:
        zone = self._zone_name(scope)
        if self.is_midnight_a_date and MIDNIGHT.fullmatch(text[10:]):
            text = text[:10]
        if not self.format:
            return timestamps.parse_timestamp(text, path, zone)
        if self.format in {UNIX_SECONDS, UNIX_MILLISECONDS}:
            seconds = parse_decimal(text, path) / (1 if self.format == UNIX_SECONDS else 1000)
            return timestamps.from_unix_seconds(int(seconds), path)
        try:
            parsed = datetime.strptime(text, self.format)  # noqa: DTZ007  # the zone follows
        except ValueError:
            detail = f"{text[:40]!r} does not have the format {self.format}"
            raise PayloadError(ParkReason.TIMESTAMP, path, detail) from None
        only_date = not any(code in self.format for code in ("%H", "%I"))
        iso = parsed.date().isoformat() if only_date else parsed.isoformat()
        return timestamps.parse_timestamp(iso, path, zone)


@dataclass(frozen=True, slots=True)
class FieldTest:
    """A test of one value: whether it is one of some texts, begins with one, or is present."""

    __test__ = False  # not a test class

    path: Path
    texts: frozenset[str] = frozenset()
    negated: bool = False
    present: bool | None = None
    beginnings: tuple[str, ...] = ()

    def holds(self, scope: Scope) -> bool:
        """Whether the value passes."""
        node = self.path.resolve(scope)
        if self.present is not None:
            has_value = node.value not in (None, "", [], {}) and not is_null_or_declared_blank(
                node, scope.reading
            )
            return has_value is self.present
        text = self.path.text_in(scope)
        holds = text.startswith(self.beginnings) if self.beginnings else text in self.texts
        return holds is not self.negated


@dataclass(frozen=True, slots=True)
class FieldCondition:
    """All tests of one of the alternatives must pass. Without alternatives it always holds."""

    alternatives: tuple[tuple[FieldTest, ...], ...] = ()

    def holds(self, scope: Scope) -> bool:
        """Whether the condition holds."""
        return not self.alternatives or any(
            all(test.holds(scope) for test in tests) for tests in self.alternatives
        )


@dataclass(frozen=True, slots=True)
class ListOperator:
    """The elements of a list. `a[].b` is the list `b` of each element of the list `a`."""

    pieces: tuple[Path, ...]

    def has_list_even_if_null_or_empty(self, scope: Scope) -> bool:
        """Whether the value has the member that contains the list, even if it is null or empty."""
        return self.pieces[0].exists_even_if_null(scope)

    def elements(self, scope: Scope) -> list[Scope]:
        """A scope for each element; an object counts as a list of one. Raises PayloadError."""
        scopes = [scope]
        for index, piece in enumerate(self.pieces):
            inner: list[Scope] = []
            for current in scopes:
                # The elements see the record as their outer scope, whatever the nesting.
                inner += [
                    scope.scope_of_inner_value(node)
                    for node in _nodes_of_list_or_single_object(piece.resolve(current), scope)
                ]
            scopes = inner
            if len(scopes) > MAX_ELEMENTS:
                detail = f"more than {MAX_ELEMENTS} elements"
                raise PayloadError(ParkReason.SIZE, self.pieces[index].text, detail)
        return scopes


def _nodes_of_list_or_single_object(node: Node, scope: Scope) -> list[Node]:
    if isinstance(node.value, list):
        return node.as_list()
    return (
        [] if node.value in (None, "") or is_null_or_declared_blank(node, scope.reading) else [node]
    )


def read_number(value: ValueOperator, scope: Scope) -> Decimal | None:
    """Return an exact number, read with the signs of the source, or None if it is blank."""
    text = value.evaluate(scope)
    if not text:
        return None
    path = value.path.resolve(scope).path if value.path else ""
    reading = scope.reading
    if reading.grouping_sign:
        text = text.replace(reading.grouping_sign, "")
    if reading.decimal_sign != ".":
        if "." in text:
            detail = f"{text[:40]!r} has a point; the decimal sign is {reading.decimal_sign!r}"
            raise PayloadError(ParkReason.NUMBER, path, detail)
        text = text.replace(reading.decimal_sign, ".")
    return parse_decimal(text, path)
