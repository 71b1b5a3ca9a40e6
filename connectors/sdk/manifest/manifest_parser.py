"""Parse a manifest: YAML, then its JSON Schema, then every operator and rule."""

from collections.abc import Mapping
from dataclasses import replace
from decimal import Decimal
from typing import Any

from jsonschema import Draft202012Validator  # type: ignore[import-untyped] # it ships no types

from connectors.sdk import parse_setting_values
from connectors.sdk.connector import SourceRole
from connectors.sdk.events import Attribute, EventType, Measure, ObjectKind
from connectors.sdk.manifest import lint
from connectors.sdk.manifest.definition import (
    AttributeRule,
    EventRule,
    Example,
    IgnoreRule,
    LinesRule,
    ManifestDefinition,
    ObjectRule,
    PollRule,
    ReadRule,
)
from connectors.sdk.manifest.expect_parser import parse_expect
from connectors.sdk.manifest.operator_parser import OperatorParser
from connectors.sdk.manifest.operators import ValueOperator
from connectors.sdk.manifest.problems import (
    InvalidManifest,
    ManifestProblem,
    Position,
    format_position,
    nearest_line,
)
from connectors.sdk.manifest.read_parser import parse_read
from connectors.sdk.manifest.schema import SCHEMA
from connectors.sdk.manifest.sql_parser import parse_sql
from connectors.sdk.manifest.telemetry_rule_parser import parse_telemetry_rules
from connectors.sdk.manifest.version_parser import parse_versions
from connectors.sdk.manifest.webhook_and_poll_parser import parse_poll, parse_webhook
from connectors.sdk.manifest.yaml_reader import YamlDocument, read_yaml
from connectors.sdk.settings import Setting, SettingType, parse_value

VALIDATOR = Draft202012Validator(SCHEMA)
KINDS = {
    "order": ObjectKind.ORDER,
    "shipment": ObjectKind.SHIPMENT,
    "invoice": ObjectKind.INVOICE,
    "return": ObjectKind.RETURN,
    "packages": ObjectKind.PACKAGE,
}


def parse_manifest(text: str | bytes) -> ManifestDefinition:
    """Parse and lint a manifest. Raises InvalidManifest with all problems."""
    document = read_yaml(text)
    if problems := _schema_problems(document):
        raise InvalidManifest(problems)
    parser = OperatorParser(document.lines)
    manifest = _parse_content(parser, document.content)
    lint.report_lint_problems(parser, document.content)
    if parser.problems:
        raise InvalidManifest(sorted(parser.problems, key=lambda p: (p.line, p.path)))
    return manifest


def _schema_problems(document: YamlDocument) -> list[ManifestProblem]:
    problems = []
    for error in VALIDATOR.iter_errors(document.content):
        position: Position = tuple(error.absolute_path)
        sentence = _describe_schema_error(error)
        unknown = [name for name in getattr(error, "instance", {}) or () if f"{name!r}" in sentence]
        if error.validator == "additionalProperties" and len(unknown) == 1:
            position = (*position, unknown[0])
        line = nearest_line(document.lines, position)
        problems.append(ManifestProblem(format_position(position), line, sentence))
    return sorted(problems, key=lambda problem: problem.line)


def _describe_schema_error(error: Any) -> str:
    if error.validator == "additionalProperties":
        known = ", ".join(sorted(error.schema.get("properties", {})))
        names = [name for name in error.instance if name not in error.schema["properties"]]
        return f"unknown {', '.join(map(repr, names))}; known here: {known or 'nothing'}"
    if error.validator == "enum":
        return f"{error.instance!r} is not one of {', '.join(map(str, error.validator_value))}"
    if error.validator == "required":
        return str(error.message).replace("is a required property", "is missing")
    return str(error.message)[:200]


def _parse_content(parser: OperatorParser, data: Mapping[str, Any]) -> ManifestDefinition:
    settings = _parse_settings(parser, data)
    parser.setting_names |= {setting.name for setting in settings}
    receive = data["receive"]
    poll = parse_poll(parser, receive["poll"]) if "poll" in receive else None
    sql = parse_sql(parser, receive["sql"]) if "sql" in receive else None
    file_rule = receive.get("file")
    return ManifestDefinition(
        slug=data["connector"],
        version=int(data["version"]),
        title=data["title"],
        role=SourceRole(data["role"]),
        description=data["description"].strip(),
        setup=data.get("setup", "").strip(),
        topics=tuple(data.get("topics", [])),
        permissions=tuple(data.get("permissions", [])),
        not_covered=tuple(data.get("not_covered", [])),
        versions=parse_versions(parser, data),
        settings=settings,
        read=_with_answers_of_poll(parse_read(parser, data["read"]), poll),
        webhook=parse_webhook(parser, receive["webhook"]) if "webhook" in receive else None,
        poll=poll,
        sql=sql,
        accepts_files=file_rule is not None,
        file_pattern=(file_rule or {}).get("pattern", ""),
        batch_defaults=parse_expect(parser, data.get("expect", {})),
        ignore=tuple(
            _parse_ignore(parser, item, ("ignore", i))
            for i, item in enumerate(data.get("ignore", []))
        ),
        objects=tuple(
            _parse_object(parser, data[name], kind, (name,))
            for name, kind in KINDS.items()
            if name in data
        ),
        attributes=_parse_attributes(parser, data.get("attributes", {}), ("attributes",)),
        lines=_parse_lines(parser, data["lines"]) if "lines" in data else None,
        events=tuple(
            _parse_event(parser, item, data.get("attributes", {}), ("events", i))
            for i, item in enumerate(data.get("events", []))
        ),
        telemetry=parse_telemetry_rules(parser, data),
        codes={path: frozenset(texts) for path, texts in data.get("codes", {}).items()},
        examples=tuple(_parse_example(item) for item in data["examples"]),
    )


def _with_answers_of_poll(read: ReadRule, poll: PollRule | None) -> ReadRule:
    """Let a message that is an answer of the API be read as the poll reads it."""
    if poll is None or poll.records is None or poll.files or read.records:
        return read
    return replace(read, answers=(poll.records, *read.answers))


def _parse_settings(parser: OperatorParser, data: Mapping[str, Any]) -> tuple[Setting, ...]:
    """The settings; a text that is the issuer of numbers is the name of a source."""
    rules = [data[name] for name in KINDS if name in data]
    issuers = {number.get("issuer", "") for rule in rules for number in rule["numbers"]}
    settings = (
        _parse_setting(parser, name, {"help": item} if isinstance(item, str) else item)
        for name, item in data.get("settings", {}).items()
    )
    return tuple(
        replace(setting, type=SettingType.SOURCE)
        if setting.type is SettingType.TEXT and f"{{${setting.name}}}" in issuers
        else setting
        for setting in settings
    )


def _parse_setting(parser: OperatorParser, name: str, data: Mapping[str, Any]) -> Setting:
    at: Position = ("settings", name)
    minimum, maximum = (
        parser.parse_or_report_and_return_default(
            parse_setting_values.parse_number, data[bound], (*at, bound), Decimal(0)
        )
        if bound in data
        else None
        for bound in ("minimum", "maximum")
    )
    setting = Setting(
        name,
        data["help"],
        SettingType(data.get("type", "text")),
        default=data.get("default", ""),
        required=data.get("required") == "yes",
        choices=tuple(data.get("choices", ())),
        minimum=minimum,
        maximum=maximum,
        label=data.get("label", ""),
    )
    if setting.default:
        try:
            parse_value(setting, setting.default)
        except ValueError as error:
            parser.report((*at, "default"), str(error))
            return replace(setting, default="")
    return setting


def _parse_ignore(parser: OperatorParser, data: Mapping[str, Any], at: Position) -> IgnoreRule:
    if "unless" in data:
        parser.note_used_setting_or_report(data["unless"], (*at, "unless"))
    condition = parser.condition(data["if"], (*at, "if"))
    return IgnoreRule(condition, data["reason"], data.get("unless", ""))


def _parse_object(
    parser: OperatorParser, data: Mapping[str, Any], kind: ObjectKind, at: Position
) -> ObjectRule:
    numbers = tuple(
        parser.parse_identifier_rule(item, (*at, "numbers", i))
        for i, item in enumerate(data["numbers"])
    )
    elements = parser.parse_list_path(data["each"], (*at, "each")) if "each" in data else None
    return ObjectRule(kind, numbers, elements)


def _parse_lines(parser: OperatorParser, data: Mapping[str, Any]) -> LinesRule:
    at: Position = ("lines",)
    return LinesRule(
        elements=parser.parse_list_path(data["each"], (*at, "each")),
        line_id=parser.parse_value_operator(data["line_id"], (*at, "line_id")),
        condition=parser.condition(data.get("if", {}), (*at, "if")),
        sku=parser.optional_value(data, "sku", at),
        description=parser.optional_value(data, "description", at),
        unit=parser.optional_value(data, "unit", at),
        price=parser.optional_value(data, "price", at),
        goods_condition=parser.condition(data.get("goods", {}), (*at, "goods")),
    )


def _parse_attributes(
    parser: OperatorParser, data: Mapping[str, Any], at: Position
) -> dict[Attribute, AttributeRule]:
    return {Attribute(name): parser.value_or_time(item, (*at, name)) for name, item in data.items()}


def _parse_event(
    parser: OperatorParser,
    data: Mapping[str, Any],
    attributes_of_record: Mapping[str, Any],
    at: Position,
) -> EventRule:
    raw_type = data["type"]
    event_type = (
        ValueOperator(const=raw_type)
        if isinstance(raw_type, str) and raw_type in set(EventType)
        else parser.parse_value_operator(raw_type, (*at, "type"))
    )
    return EventRule(
        event_type=event_type,
        key=parser.template(
            data["key"],
            (*at, "key"),
            {*attributes_of_record, *data.get("attributes", {}), *({"at"} & data.keys())},
        ),
        raw_type=parser.optional_value(data, "raw_type", at),
        condition=parser.condition(data.get("if", {}), (*at, "if")),
        elements=parser.parse_list_path(data["for"], (*at, "for")) if "for" in data else None,
        at=parser.parse_time_operator(data["at"], (*at, "at")) if "at" in data else None,
        revision=parser.value_or_time(data["revision"], (*at, "revision"))
        if "revision" in data
        else None,
        scope=parser.template(data["scope"], (*at, "scope")) if "scope" in data else None,
        quantities={
            Measure(name): parser.parse_value_operator(item, (*at, "lines", name))
            for name, item in data.get("lines", {}).items()
        },
        sums_lines=data.get("sum") == "yes",
        attributes=_parse_attributes(parser, data.get("attributes", {}), (*at, "attributes")),
        corrects=tuple(
            parser.template(text, (*at, "corrects", i))
            for i, text in enumerate(data.get("corrects", []))
        ),
        complete_measures=tuple(Measure(name) for name in data.get("complete_measures", ())),
        takes_back=tuple(EventType(name) for name in data.get("takes_back", ())),
    )


def _parse_example(data: Mapping[str, Any]) -> Example:
    return Example(
        file=data.get("file", ""),
        text=data.get("text", ""),
        settings=dict(data.get("settings", {})),
        event_types=tuple(data["gives"]) if "gives" in data else None,
        ignored=data.get("ignored", ""),
        parked=data.get("parked", ""),
    )
