"""Convert the records of a message to canonical events, as a manifest declares it."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from connectors.sdk.connector import ParseResult, RawMessage
from connectors.sdk.event_builder import build_event, flag_if_sanitized
from connectors.sdk.event_codec import format_decimal, format_rfc3339
from connectors.sdk.events import (
    Attribute,
    CanonicalEvent,
    EventIdentifier,
    EventLine,
    EventType,
    Flag,
    IdentifierScheme,
    ObjectReference,
)
from connectors.sdk.manifest.definition import (
    AttributeRule,
    EventRule,
    IdentifierRule,
    ManifestDefinition,
    ObjectRule,
)
from connectors.sdk.manifest.operators import TimeOperator, ValueOperator, read_number
from connectors.sdk.manifest.order_lines import add_quantities_of_repeated_line, build_line
from connectors.sdk.manifest.paths import Scope, parse_path
from connectors.sdk.manifest.read_records_of_message import read_records
from connectors.sdk.manifest.time_limit import raise_if_time_is_up
from connectors.sdk.payload import ParkReason, PayloadError, load_json
from connectors.sdk.placeholders_and_issuers import (
    blank_if_placeholder,
    can_be_strong,
    usual_issuer,
)
from connectors.sdk.settings import ParsedSettings
from connectors.sdk.telemetry import TelemetryRecord


@dataclass(frozen=True, slots=True)
class Interpreter:
    """A manifest with the settings of one source."""

    manifest: ManifestDefinition
    values: ParsedSettings
    texts: Mapping[str, str]
    source: str

    def parse(self, message: RawMessage) -> ParseResult:
        """Return the events of a message. Raises PayloadError to park it."""
        if self._is_handshake(message):
            return ParseResult(ignored="a test of the webhook, without an order")
        if reason := self._notice_reason(message):
            return ParseResult(ignored=reason, poll_due=True)
        records = read_records(self.manifest.read, message.body, self.texts)
        raise_if_time_is_up()
        events: list[CanonicalEvent] = []
        telemetry: list[TelemetryRecord] = []
        errors = list(records.errors)
        ignored: list[str] = []
        for scope in records.scopes:
            raise_if_time_is_up()
            try:
                if reason := self._ignore_reason(scope):
                    ignored.append(reason)
                else:
                    objects = tuple(self._object_references(scope))
                    observed = self._telemetry_of_record(scope, objects, message.headers)
                    if self.manifest.events and (objects or not observed):
                        events += self._events_of_record(scope, objects, errors)
                    telemetry += observed
            except PayloadError as error:
                errors.append(error)
        if errors and not events and not records.is_list:
            raise errors[0]
        sanitized = records.was_sanitized or bool(
            records.document and records.document.was_sanitized
        )
        return ParseResult(
            flag_if_sanitized(events, sanitized=sanitized),
            tuple(errors),
            "" if events or telemetry or errors else "; ".join(dict.fromkeys(ignored)),
            telemetry=tuple(telemetry),
        )

    def _is_handshake(self, message: RawMessage) -> bool:
        """Whether the body is that of a setup request, which somebody sent by another way."""
        rules = self.manifest.webhook.handshakes if self.manifest.webhook else ()
        return message.body.startswith(tuple(r.body_begins for r in rules if r.body_begins))

    def _telemetry_of_record(
        self, scope: Scope, objects: tuple[ObjectReference, ...], headers: Mapping[str, str]
    ) -> list[TelemetryRecord]:
        return [
            record
            for rule in self.manifest.telemetry
            for record in rule.records(scope, objects, headers)
        ]

    def _notice_reason(self, message: RawMessage) -> str:
        """Why the message has no events, if it only says that something changed."""
        notice = self.manifest.webhook.notice if self.manifest.webhook else None
        if notice is None:
            return ""
        scope = Scope(load_json(message.body), self.texts, self.manifest.read.reading)
        return notice.reason if notice.condition.holds(scope) else ""

    def _ignore_reason(self, scope: Scope) -> str:
        for rule in self.manifest.ignore:
            if rule.condition.holds(scope) and not (
                rule.unless_setting and self.values.is_on(rule.unless_setting)
            ):
                return rule.reason
        return ""

    def _events_of_record(
        self, scope: Scope, objects: Sequence[ObjectReference], errors: list[PayloadError]
    ) -> list[CanonicalEvent]:
        """Return the events of a record. An invalid element of a list adds an error to `errors`."""
        if self.manifest.read.envelope and not isinstance(scope.node.value, dict):
            raise PayloadError(ParkReason.SCHEMA, scope.node.path or "$", "expected an object")
        if not objects:
            detail = "the record has no number of an order, shipment, package, invoice or return"
            raise PayloadError(ParkReason.REFERENCE, scope.node.path or "$", detail)
        events: list[CanonicalEvent] = []
        for rule in self.manifest.events:
            for inner in rule.elements.elements(scope) if rule.elements else [scope]:
                raise_if_time_is_up()
                try:
                    if rule.condition.holds(inner):
                        events.append(self._build_event(rule, inner, scope, objects))
                except PayloadError as error:
                    if rule.elements is None:
                        raise
                    errors.append(error)
        return [*events, *self._unknown_code_events(scope, objects)]

    def _build_event(
        self, rule: EventRule, scope: Scope, record: Scope, objects: Sequence[ObjectReference]
    ) -> CanonicalEvent:
        raw_code = rule.event_type.code(scope)
        type_text = rule.event_type.evaluate(scope)
        kind = EventType(type_text) if type_text in set(EventType) else EventType.UNMAPPED
        raw_type = rule.raw_type.evaluate(scope) if rule.raw_type else ""
        if kind is EventType.UNMAPPED or not (rule.raw_type or rule.event_type.const):
            raw_type = raw_code
        time = rule.at.evaluate(scope) if rule.at else None
        attributes = self._attributes(self.manifest.attributes, record)
        attributes |= self._attributes(rule.attributes, scope)
        corrects = tuple(template.render(scope) for template in rule.corrects)
        event_texts = {name.value: text for name, text in attributes.items()}
        event_texts["at"] = format_rfc3339(time.time) if time else ""
        return build_event(
            kind,
            rule.key.render(replace(scope, event_texts=event_texts)),
            time,
            *objects,
            lines=self._lines(rule, record, kind, allows_negative=bool(corrects)),
            scope=rule.scope.render(scope) if rule.scope else "",
            attributes=attributes,
            revision=_revision(rule.revision, scope),
            raw_type=raw_type,
            flags=() if time else (Flag.TIME_RECEIVED,),
            corrects=corrects,
            complete_measures=rule.complete_measures,
            takes_back=rule.takes_back,
        )

    def _unknown_code_events(
        self, scope: Scope, objects: Sequence[ObjectReference]
    ) -> Iterator[CanonicalEvent]:
        """Yield an unmapped event for each code that the manifest does not declare."""
        first = self.manifest.events[0]
        for path, text in self._paths_and_undeclared_codes(scope):
            time = first.at.evaluate(scope) if first.at and not first.elements else None
            ids = [i for i in objects[0].identifiers if i.strong] or objects[0].identifiers
            yield build_event(
                EventType.UNMAPPED,
                f"{objects[0].kind.value} {ids[0].value} {path} {text}",
                time,
                *objects,
                attributes={Attribute.STATUS: text},
                raw_type=text,
                flags=() if time else (Flag.TIME_RECEIVED,),
            )

    def _paths_and_undeclared_codes(self, scope: Scope) -> Iterator[tuple[str, str]]:
        """Yield each path with each of its undeclared codes; of a group, those of all its rows."""
        scopes = [scope]
        if self.manifest.read.group:
            scopes += [scope.scope_of_inner_value(row) for row in scope.node.list_at("rows")]
        for path, known in self.manifest.codes.items():
            raise_if_time_is_up()
            texts = dict.fromkeys(parse_path(path).text_in(inner) for inner in scopes)
            yield from ((path, text) for text in texts if text and text not in known)

    def _object_references(self, scope: Scope) -> Iterator[ObjectReference]:
        seen = set()
        for rule in self.manifest.objects:
            for inner in rule.elements.elements(scope) if rule.elements else [scope]:
                raise_if_time_is_up()
                identifiers = tuple(dict.fromkeys(self._identifiers(rule, inner)))
                if identifiers and (rule.kind, identifiers) not in seen:
                    seen.add((rule.kind, identifiers))
                    yield ObjectReference(rule.kind, identifiers)

    def _identifiers(self, rule: ObjectRule, scope: Scope) -> Iterator[EventIdentifier]:
        for number in rule.numbers:
            value = blank_if_placeholder(number.value.evaluate(scope))
            if not value and number.sentence_if_missing:
                path = number.value.path.resolve(scope).path if number.value.path else ""
                raise PayloadError(ParkReason.REFERENCE, path or "$", number.sentence_if_missing)
            scheme, issuer = self._scheme_and_issuer(number, scope)
            if not value or scheme is None:
                continue
            strong = not number.is_weak and can_be_strong(scheme, issuer)
            yield EventIdentifier(scheme, value, issuer, strong=strong)

    def _scheme_and_issuer(
        self, number: IdentifierRule, scope: Scope
    ) -> tuple[IdentifierScheme | None, str]:
        if number.range_setting:
            unset = (IdentifierScheme.REFERENCE, "")
            scheme, issuer = self.values.identifier_scheme_and_issuer(number.range_setting, unset)
            return (scheme, issuer) if issuer else (None, "")
        if number.issuer:
            return number.scheme, number.issuer.render(scope)
        issuer = usual_issuer(number.scheme, self.source) if number.scheme else ""
        return number.scheme, issuer

    def _attributes(
        self, rules: Mapping[Attribute, AttributeRule], scope: Scope
    ) -> dict[Attribute, str]:
        attributes = {}
        for name, rule in rules.items():
            if isinstance(rule, TimeOperator):
                attributes[name] = rule.date_or_time_text(scope)
            elif name is Attribute.TOTAL:
                total = read_number(rule, scope)
                attributes[name] = "" if total is None else format_decimal(total)
            else:
                attributes[name] = rule.evaluate(scope)
        return {name: text for name, text in attributes.items() if text}

    def _lines(
        self, rule: EventRule, record: Scope, kind: EventType, *, allows_negative: bool
    ) -> list[EventLine]:
        lines_rule = self.manifest.lines
        if not rule.quantities or lines_rule is None:
            return []
        allows_negative |= kind.value.startswith(("return.", "credit."))
        lines: dict[str, EventLine] = {}
        for scope in lines_rule.elements.elements(record):
            raise_if_time_is_up()
            if not lines_rule.condition.holds(scope):
                continue
            quantities = {
                measure: quantity
                for measure, value in rule.quantities.items()
                if (quantity := read_number(value, scope)) is not None
            }
            if not allows_negative and any(quantity < 0 for quantity in quantities.values()):
                raise PayloadError(ParkReason.QUANTITY, scope.node.path, "a quantity is negative")
            line = build_line(lines_rule, scope, quantities)
            if line.line_id in lines and not rule.sums_lines:
                detail = f"duplicate line {line.line_id[:40]!r}; `sum: yes` adds its quantities up"
                raise PayloadError(ParkReason.MAPPING, scope.node.path, detail)
            lines[line.line_id] = add_quantities_of_repeated_line(
                lines.get(line.line_id), line, scope
            )
        return list(lines.values())


def _revision(rule: ValueOperator | TimeOperator | None, scope: Scope) -> str:
    if rule is None:
        return ""
    if isinstance(rule, TimeOperator):
        time = rule.evaluate(scope)
        return format_rfc3339(time.time) if time else ""
    return rule.evaluate(scope)
