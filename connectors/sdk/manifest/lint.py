"""Checks of a manifest that neither its schema nor its syntax can express."""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from connectors.sdk.events import DATES, EventType
from connectors.sdk.manifest.operator_parser import UNCHANGED, OperatorParser
from connectors.sdk.manifest.paths import parse_template
from connectors.sdk.manifest.problems import Position

FILES, TABLES, DOCUMENTS = ("csv", "tsv", "fixed_width"), ("csv", "tsv"), ("json", "xml")
# The formats to which a member of `read` belongs; the others belong to all.
FORMATS_OF_READ_MEMBERS = {
    **dict.fromkeys(("charset", "columns", "skip_rows", "group"), FILES),
    **dict.fromkeys(("delimiter", "quote", "header"), TABLES),
    **dict.fromkeys(("records", "answers", "envelope"), DOCUMENTS),
    "row_types": ("fixed_width",),
}
OBJECTS = ("order", "shipment", "invoice", "return", "packages")
# Quantities of these events are totals of one shipment, invoice or refund, never of the order.
SCOPED_PREFIXES = ("shipment.", "invoice.", "credit.", "return.", "pick.", "pack.")
# Beginnings of secrets of well-known vendors, and private keys.
SECRET_TEXT = re.compile(
    r"whsec_\w{8}|whpk_\w{8}|\b[cs]k_[0-9a-z]{16}|shp(at|ss|ca)_\w{8}|xox[bp]-|EZ[AT]K\w{20}"
    r"|-----BEGIN|\beyJ[\w-]{10,}\.[\w-]{10,}\."
)
CREDENTIALS = {
    *("basic", "bearer", "value", "secret", "client_secret"),
    *("consumer_secret", "token_secret", "refresh_token"),
}


def report_lint_problems(parser: OperatorParser, data: Mapping[str, Any]) -> None:
    """Report everything that would read messages wrongly."""
    for index, event in enumerate(data.get("events", [])):
        _check_event_key_time_and_scope(parser, event, data, ("events", index))
    if not {"events", "telemetry"} & data.keys():
        parser.report((), "the messages have no events; give events or telemetry")
    if "events" in data and not any(name in data for name in OBJECTS):
        sentence = (
            "the manifest does not say which object a message is about: give its numbers under one "
            f"of {', '.join(OBJECTS)}, such as `order: {{numbers: [...]}}`"
        )
        parser.report((), sentence)
    _check_date_attributes_have_zone(parser, data.get("attributes", {}), ("attributes",))
    _check_condition_codes_are_declared(parser, data)
    _check_read_options_fit_format(parser, data)
    if "sql" in data["receive"] and data["read"]["format"] != "json":
        parser.report(("read", "format"), "rows of a database are messages of the format json")
    if {"poll", "sql"} <= data["receive"].keys():
        parser.report(("receive", "sql"), "give one of poll and sql")
    _check_notice_is_followed_by_poll(parser, data)
    _check_no_secrets_in_manifest(parser, data)
    _check_example_members_and_file_path(parser, data["examples"])
    for name in sorted(parser.setting_names - parser.used_settings):
        parser.report(("settings", name), f"the setting {name!r} is never used")


def _check_notice_is_followed_by_poll(parser: OperatorParser, data: Mapping[str, Any]) -> None:
    at: Position = ("receive", "webhook", "notice")
    if "notice" not in data["receive"].get("webhook", {}):
        return
    if not {"poll", "sql"} & data["receive"].keys():
        parser.report(at, "a notice needs receive.poll, which reads what changed")
    if data["read"]["format"] != "json":
        parser.report(at, "a notice needs the format json")


def _check_event_key_time_and_scope(
    parser: OperatorParser, event: Mapping[str, Any], data: Mapping[str, Any], at: Position
) -> None:
    types = list(_possible_types_reporting_unknown(parser, event["type"], (*at, "type")))
    try:
        placeholders = parse_template(event["key"]).placeholders
    except ValueError:
        placeholders = ()
    if not any(p.path and p.required for p in placeholders):
        parser.report((*at, "key"), "a key needs an id of the fact, such as {id}")
    if "at" not in event:
        parser.report(at, "the event has no time; give `at`")
    if "lines" in event and "lines" not in data:
        parser.report((*at, "lines"), "there are no lines; declare them under lines")
    is_scoped = any(kind.startswith(SCOPED_PREFIXES) for kind in types)
    if "lines" in event and is_scoped and "scope" not in event:
        sentence = (
            "its quantities need a `scope`: what they are the total of, such as "
            f"`scope: {_example_of_scope(data)}`"
        )
        parser.report(at, sentence)
    _check_date_attributes_have_zone(parser, event.get("attributes", {}), (*at, "attributes"))


def _example_of_scope(data: Mapping[str, Any]) -> str:
    """A scope with the field of this manifest that has the number of the shipment, if one does."""
    numbers: Sequence[Mapping[str, Any]] = data.get("shipment", {}).get("numbers") or ({},)
    value = numbers[0].get("value")
    return f'"shipment {{{value if isinstance(value, str) else "shipment_no"}}}"'


def _possible_types_reporting_unknown(
    parser: OperatorParser, data: Any, at: Position
) -> Iterator[str]:
    """Yield the possible types of an event; report unknown ones."""
    known = set(EventType) - {EventType.UNMAPPED}
    if isinstance(data, dict) and "map" not in data and {"first", "const"} & data.keys():
        yield from _possible_types_of_first_or_const(parser, data, at)
        return
    if isinstance(data, dict):
        if "map" not in data:
            parser.report(at, "the type of an event needs a map from codes to event types")
        if data.get("else") == UNCHANGED:
            parser.report((*at, "else"), "unchanged is not an event type")
        texts: dict[Position, str] = {
            ("map", code): kind for code, kind in data.get("map", {}).items()
        }
        texts |= {("else",): data["else"]} if data.get("else", UNCHANGED) != UNCHANGED else {}
    else:
        texts = {(): data}
    for inner, text in texts.items():
        if text not in known:
            parser.report((*at, *inner), f"unknown event type {text!r}")
        yield text


def _possible_types_of_first_or_const(
    parser: OperatorParser, data: Mapping[str, Any], at: Position
) -> Iterator[str]:
    if "const" in data:
        yield from _possible_types_reporting_unknown(parser, data["const"], (*at, "const"))
    for index, item in enumerate(data.get("first", ())):
        yield from _possible_types_reporting_unknown(parser, item, (*at, "first", index))


def _check_date_attributes_have_zone(
    parser: OperatorParser, attributes: Mapping[str, Any], at: Position
) -> None:
    for name in sorted(DATES & attributes.keys()):
        item = attributes[name]
        if isinstance(item, str) or not {"zone", "offset", "format"} & item.keys():
            parser.report((*at, name), "a date or time needs a zone or `offset: included`")


def _check_condition_codes_are_declared(parser: OperatorParser, data: Mapping[str, Any]) -> None:
    """Every code that decides about events must be declared, so that a new one is noticed."""
    codes: Mapping[str, list[str]] = data.get("codes", {})
    for at, conditions in _event_conditions(data):
        for tests in conditions if isinstance(conditions, list) else [conditions]:
            for path, test in tests.items():
                texts = test.get("not", []) if isinstance(test, dict) else test
                texts = [texts] if isinstance(texts, str) else texts
                if isinstance(test, dict) and "present" in test:
                    continue
                if path not in codes:
                    parser.report((*at, path), f"declare all codes of {path!r} under codes")
                for text in texts:
                    if path in codes and text not in codes[path]:
                        parser.report((*at, path), f"{text!r} is missing in codes.{path}")


def _event_conditions(data: Mapping[str, Any]) -> Iterator[tuple[Position, Any]]:
    for index, event in enumerate(data.get("events", [])):
        if "if" in event and "for" not in event:
            yield ("events", index, "if"), event["if"]


def _check_read_options_fit_format(parser: OperatorParser, data: Mapping[str, Any]) -> None:
    read = data["read"]
    for name in sorted(FORMATS_OF_READ_MEMBERS.keys() & read.keys()):
        formats = FORMATS_OF_READ_MEMBERS[name]
        if read["format"] not in formats:
            parser.report(("read", name), f"{name} belongs to {' and '.join(formats)}")
    if read.get("header") == "no" and "columns" not in read:
        parser.report(("read",), "without a header the columns must be named")
    if {"row_types", "group"} <= read.keys():
        parser.report(("read", "group"), "give either row_types or group")
    for name, noun in (("answers", "answers"), ("envelope", "an envelope")):
        if {"records", name} <= read.keys():
            parser.report(("read", name), f"give either records or {noun}")
    if read.get("decimal", ".") == read.get("thousands", ""):
        parser.report(("read",), "decimal and thousands are the same sign")
    if not data["receive"]:
        parser.report(("receive",), "give webhook, poll or file")


def _check_no_secrets_in_manifest(parser: OperatorParser, data: Mapping[str, Any]) -> None:
    secret_names = {"secret"}
    for name, setting in data.get("settings", {}).items():
        if isinstance(setting, dict) and setting.get("type") == "secret":
            secret_names.add(name)
            if setting.get("default"):
                parser.report(("settings", name, "default"), "a secret must not be in the file")
    for at, text in _texts_with_positions(data, ()):
        if SECRET_TEXT.search(text):
            parser.report(at, "this looks like a secret; declare a setting of type secret")
        if "auth" in at and at[-1] in CREDENTIALS:
            try:
                settings = {p.setting for p in parse_template(text).placeholders}
            except ValueError:
                continue
            if not settings & secret_names:
                sentence = "a secret must not be in the file; use {$secret} or a secret setting"
                parser.report(at, sentence)


def _texts_with_positions(data: Any, at: Position) -> Iterator[tuple[Position, str]]:
    if isinstance(data, str):
        yield at, data
    elif isinstance(data, dict):
        for key, item in data.items():
            yield from _texts_with_positions(item, (*at, key))
    else:
        for index, item in enumerate(data):
            yield from _texts_with_positions(item, (*at, index))


def _check_example_members_and_file_path(
    parser: OperatorParser, examples: list[Mapping[str, Any]]
) -> None:
    for index, example in enumerate(examples):
        at: Position = ("examples", index)
        if ("file" in example) is ("text" in example):
            parser.report(at, "give either file or text")
        if len({"gives", "ignored", "parked"} & example.keys()) != 1:
            parser.report(at, "give exactly one of gives, ignored, parked")
        if ".." in example.get("file", "") or example.get("file", "").startswith("/"):
            parser.report((*at, "file"), "the file must be inside the folder of samples")
