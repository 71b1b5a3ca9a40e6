"""Parse operators of a manifest, and collect problems with their line and path."""

from collections.abc import Callable, Collection, Mapping
from datetime import datetime
from typing import Any, TypeVar

from connectors.sdk import parse_setting_values
from connectors.sdk.events import IdentifierScheme
from connectors.sdk.manifest.definition import IdentifierRule
from connectors.sdk.manifest.operators import (
    UNIX_MILLISECONDS,
    UNIX_SECONDS,
    FieldCondition,
    FieldTest,
    ListOperator,
    TimeOperator,
    ValueOperator,
)
from connectors.sdk.manifest.paths import Template, parse_path, parse_template
from connectors.sdk.manifest.problems import (
    ManifestProblem,
    Position,
    format_position,
    nearest_line,
)

Parsed = TypeVar("Parsed")
SOURCES = ("value", "const", "template", "first", "join")
# `else: unchanged` keeps the text that `map` does not know.
UNCHANGED = "unchanged"


class OperatorParser:
    """Parses operators. A problem is collected and a harmless operator is returned instead."""

    def __init__(self, lines: Mapping[Position, int]) -> None:
        self.lines = lines
        self.problems: list[ManifestProblem] = []
        self.setting_names: set[str] = set()
        # Names that need no declaration: the secret and the slug of the source, a tracking number.
        self.built_in_names: set[str] = {"source"}
        self.used_settings: set[str] = set()

    def report(self, position: Position, sentence: str) -> None:
        """Collect a problem."""
        line = nearest_line(self.lines, position)
        self.problems.append(ManifestProblem(format_position(position), line, sentence))

    def parse_or_report_and_return_default(
        self, parse: Callable[[str], Parsed], text: str, position: Position, default: Parsed
    ) -> Parsed:
        """Parse a text, or report why it is invalid and return the default."""
        try:
            return parse(text)
        except ValueError as error:
            self.report(position, str(error).rstrip("."))
            return default

    def template(
        self, text: str, position: Position, event_texts: Collection[str] = ()
    ) -> Template:
        """Parse a template; every setting that it names must be declared.

        `event_texts` are the names that it may have after `@`.
        """
        template = self.parse_or_report_and_return_default(
            parse_template, text, position, Template(text)
        )
        for placeholder in template.placeholders:
            if placeholder.setting:
                self.note_used_setting_or_report(placeholder.setting, position)
            if placeholder.event_text and placeholder.event_text not in event_texts:
                self.report(
                    position,
                    f"@{placeholder.event_text} is only known in the key of an event with it",
                )
        return template

    def note_used_setting_or_report(self, name: str, position: Position) -> None:
        """Note that a setting is used, and report it if it is not declared."""
        self.used_settings.add(name)
        if name not in self.setting_names | self.built_in_names:
            self.report(position, f"there is no setting {name!r}; declare it under settings")

    def parse_list_path(self, text: str, position: Position) -> ListOperator:
        """Parse the path of a list: `a[].b`."""
        pieces = text.removesuffix("[]").split("[].")
        return ListOperator(
            tuple(
                self.parse_or_report_and_return_default(parse_path, p, position, parse_path("."))
                for p in pieces
            )
        )

    def parse_value_operator(self, data: Any, position: Position) -> ValueOperator:
        """Parse a value: a path, or an object with one source and modifiers."""
        if isinstance(data, str):
            path = self.parse_or_report_and_return_default(
                parse_path, data, position, parse_path(".")
            )
            return ValueOperator(path=path)
        sources = [name for name in SOURCES if name in data]
        if len(sources) != 1:
            self.report(position, f"give exactly one of {', '.join(SOURCES)}")
            return ValueOperator()
        if "else" in data and "map" not in data:
            self.report((*position, "else"), "else needs a map")
        fallback = data.get("else", "")
        return ValueOperator(
            path=self.parse_or_report_and_return_default(
                parse_path, data["value"], (*position, "value"), parse_path(".")
            )
            if "value" in data
            else None,
            const=data.get("const", ""),
            template=self.template(data["template"], (*position, "template"))
            if "template" in data
            else None,
            first=self._parse_value_list(data, "first", position),
            join=self._parse_value_list(data, "join", position),
            separator=data.get("separator", " "),
            exceptions=frozenset(text_or_texts_as_list(data.get("except", []))),
            strip=self.template(data["strip"], (*position, "strip")) if "strip" in data else None,
            mapping=dict(data["map"]) if "map" in data else None,
            fallback=None if fallback == UNCHANGED else fallback,
            condition=self.condition(data["if"], (*position, "if")) if "if" in data else None,
        )

    def _parse_value_list(
        self, data: Mapping[str, Any], name: str, position: Position
    ) -> tuple[ValueOperator, ...]:
        items = data.get(name, [])
        return tuple(
            self.parse_value_operator(item, (*position, name, i)) for i, item in enumerate(items)
        )

    def optional_value(
        self, data: Mapping[str, Any], name: str, position: Position
    ) -> ValueOperator | None:
        """Parse the member `name` as a value if it is present."""
        return self.parse_value_operator(data[name], (*position, name)) if name in data else None

    def parse_time_operator(self, data: Mapping[str, Any], position: Position) -> TimeOperator:
        """Parse a time. Without a zone, the text must contain its offset."""
        raw = data["value"]
        items = raw if isinstance(raw, list) else [raw]
        text_format = data.get("format", "")
        if text_format:
            self._check_date_format(text_format, (*position, "format"))
        has_offset = "offset" in data or text_format in {UNIX_SECONDS, UNIX_MILLISECONDS}
        if has_offset is ("zone" in data):
            self.report(position, "a time needs either a zone or `offset: included`")
        zone = self.template(data["zone"], (*position, "zone")) if "zone" in data else None
        if zone and not zone.placeholders:
            self.parse_or_report_and_return_default(
                parse_setting_values.check_and_return_zone_name,
                data["zone"],
                (*position, "zone"),
                "UTC",
            )
        values = tuple(self.parse_value_operator(item, (*position, "value")) for item in items)
        return TimeOperator(
            values, zone, text_format, data.get("of") == "report", data.get("midnight") == "date"
        )

    def value_or_time(self, data: Any, position: Position) -> ValueOperator | TimeOperator:
        """Parse a value, or a time if it has a zone, an offset or a format."""
        time_members = {"zone", "offset", "format", "of", "midnight"}
        if isinstance(data, str) or not time_members & data.keys():
            return self.parse_value_operator(data, position)
        value = {name: item for name, item in data.items() if name not in time_members}
        times = {name: item for name, item in data.items() if name in time_members}
        return self.parse_time_operator({"value": value, **times}, position)

    def _check_date_format(self, text: str, position: Position) -> None:
        if text in {UNIX_SECONDS, UNIX_MILLISECONDS}:
            return
        try:
            sample = datetime(2026, 11, 28, 13, 45).strftime(text)  # noqa: DTZ001  # any time
            same_day = datetime.strptime(sample, text).day == 28  # noqa: DTZ007  # any zone
        except ValueError:
            same_day = False
        if not same_day:
            self.report(position, f"{text!r} is not a date format, such as %d.%m.%Y %H:%M")

    def condition(self, data: Any, position: Position) -> FieldCondition:
        """Parse a condition: an object of tests, or a list of alternatives."""
        alternatives = data if isinstance(data, list) else [data]
        return FieldCondition(
            tuple(
                tuple(
                    self._parse_field_test(path, test, (*position, path))
                    for path, test in tests.items()
                )
                for tests in alternatives
            )
        )

    def _parse_field_test(self, path_text: str, data: Any, position: Position) -> FieldTest:
        path = self.parse_or_report_and_return_default(
            parse_path, path_text, position, parse_path(".")
        )
        if not isinstance(data, dict):
            return FieldTest(path, frozenset(text_or_texts_as_list(data)))
        if len(data) != 1:
            self.report(position, "give exactly one of present, not, begins, not_begins")
        if "present" in data:
            return FieldTest(path, present=data["present"] == "yes")
        for name, negated in (("begins", False), ("not_begins", True)):
            if name in data:
                beginnings = tuple(text_or_texts_as_list(data[name]))
                return FieldTest(path, beginnings=beginnings, negated=negated)
        return FieldTest(path, frozenset(text_or_texts_as_list(data.get("not", []))), negated=True)

    def parse_identifier_rule(self, data: Mapping[str, Any], position: Position) -> IdentifierRule:
        """Parse one identifier: a scheme and its issuer, or a range from a setting."""
        own = {"scheme", "range", "issuer", "weak", "required"}
        if ("scheme" in data) is ("range" in data):
            self.report(position, "give either a scheme or a range")
        if "range" in data:
            self.note_used_setting_or_report(data["range"], (*position, "range"))
        value = {name: item for name, item in data.items() if name not in own}
        return IdentifierRule(
            value=self.parse_value_operator(value, position),
            scheme=IdentifierScheme(data["scheme"]) if "scheme" in data else None,
            range_setting=data.get("range", ""),
            issuer=self.template(data["issuer"], (*position, "issuer"))
            if "issuer" in data
            else None,
            is_weak=data.get("weak") == "yes",
            sentence_if_missing=data.get("required", ""),
        )


def text_or_texts_as_list(data: Any) -> list[str]:
    """Return one text or several as a list."""
    return [data] if isinstance(data, str) else list(data)
