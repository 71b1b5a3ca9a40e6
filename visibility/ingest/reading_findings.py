"""What is missing or not understood in what a connector read: findings with counts and remedies."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from connectors.sdk.connector import Connector
from connectors.sdk.events import EventType, Flag, ObjectKind
from connectors.sdk.number_issuers import ISSUED_SCHEMES, ISSUER_SETTING
from visibility.ingest.record_source_activity import NOT_OF_ORDERS

# The end of the error about a time without a zone; see connectors/sdk/timestamps.py.
NO_ZONE = "has no time zone"


class FindingKind(StrEnum):
    """What is missing."""

    LINES_WITHOUT_COUNTERPART = "lines_without_counterpart"
    OBJECTS_WITHOUT_ORDER = "objects_without_order"
    SHIPMENTS_WITHOUT_QUANTITIES = "shipments_without_quantities"
    TIMES_WITHOUT_ZONE = "times_without_zone"
    NUMBERS_OF_UNKNOWN_ISSUERS = "numbers_of_unknown_issuers"
    UNMAPPED_TERMS = "unmapped_terms"


# The title, the setting that mends it (or nothing), and what to do.
DESCRIPTIONS: Mapping[FindingKind, tuple[str, str, str]] = {
    FindingKind.LINES_WITHOUT_COUNTERPART: (
        "Lines without a counterpart",
        "",
        "Map the items of this source, or enter the components of kits, under Mappings.",
    ),
    FindingKind.OBJECTS_WITHOUT_ORDER: (
        "Objects without an order",
        ISSUER_SETTING,
        "Say which source issues the order numbers that this system sends, or let it send them.",
    ),
    FindingKind.SHIPMENTS_WITHOUT_QUANTITIES: (
        "Shipments without quantities",
        "",
        "Let the system send the lines of its shipments, with their quantities.",
    ),
    FindingKind.TIMES_WITHOUT_ZONE: (
        "Times without a time zone",
        "zone",
        "Set the time zone of the system.",
    ),
    FindingKind.NUMBERS_OF_UNKNOWN_ISSUERS: (
        "Numbers whose issuer is unknown",
        ISSUER_SETTING,
        "Say which source issues these numbers, such as invoice:erp.",
    ),
    FindingKind.UNMAPPED_TERMS: (
        "Terms that are not mapped",
        "",
        "Map them under Mappings; each is then read in all messages.",
    ),
}


@dataclass(frozen=True, slots=True)
class Finding:
    """One kind of finding. `reference`: the message, file or order of the example.

    `named_issuer`: the issuer that the number of the example has, which is no source.
    `issuer_setting`: the setting that names it.
    """

    kind: FindingKind
    count: int
    example: str = ""
    reference: str = ""
    named_issuer: str = ""
    issuer_setting: str = ""

    @property
    def title(self) -> str:
        """Its name."""
        return DESCRIPTIONS[self.kind][0]

    @property
    def setting(self) -> str:
        """The setting that mends it; empty if none does."""
        return self.issuer_setting if self.named_issuer else DESCRIPTIONS[self.kind][1]

    @property
    def remedy(self) -> str:
        """What to do."""
        if self.issuer_setting:
            return (
                f"No source is named {self.named_issuer}. Enter the name in addresses of the "
                "source that issues these numbers."
            )
        if self.named_issuer:
            return (
                f"No source is named {self.named_issuer}. Connect it under this name. If a setting "
                "named it and was changed since, let the system send these messages again."
            )
        return DESCRIPTIONS[self.kind][2]


@dataclass(frozen=True, slots=True)
class ReadMessage:
    """What was read from one message: its events as JSON, and why something was not read."""

    reference: str
    events: Sequence[Mapping[str, Any]] = ()
    problem: str = ""


@dataclass(frozen=True, slots=True)
class SourceSettings:
    """What the settings of a source say about its zone and about the issuers of its numbers."""

    zone_is_certain: bool
    # The setting that names each issuer.
    issuer_settings: Mapping[str, str]


def settings_of_source(connector: type[Connector], config: Mapping[str, Any]) -> SourceSettings:
    """Return what matters for findings. A zone is certain if the connector or a person states it.

    It is not if the connector has the setting `zone`, and only its default is used.
    """
    values = {s.name: str(config.get(s.name) or s.default) for s in connector.settings}
    issuers = {value.rpartition("@")[2]: name for name, value in values.items() if value}
    return SourceSettings("zone" not in values or bool(config.get("zone")), issuers)


@dataclass(slots=True)
class _Counter:
    settings: SourceSettings | None
    counts: dict[FindingKind, int] = field(default_factory=dict)
    examples: dict[FindingKind, tuple[str, ...]] = field(default_factory=dict)

    def add(self, kind: FindingKind, example: str, reference: str, issuer: str = "") -> None:
        self.counts[kind] = self.counts.get(kind, 0) + 1
        setting = self.settings.issuer_settings.get(issuer, "") if self.settings else ""
        self.examples.setdefault(kind, (example, reference, issuer, setting))


def find_in_messages(
    messages: Iterable[ReadMessage],
    *,
    issuers: Collection[str] | None = None,
    settings: SourceSettings | None = None,
) -> dict[FindingKind, Finding]:
    """Return what the events alone show, with the count of each kind and the first example.

    `issuers`: the slugs of all sources; None if they are not known. `settings`: of the source.
    Objects without an order are those of events that name no order.
    """
    counter = _Counter(settings)
    for message in messages:
        if NO_ZONE in message.problem:
            kind = FindingKind.TIMES_WITHOUT_ZONE
            counter.add(kind, message.problem[:200], message.reference)
        for event in message.events:
            _count_findings_of_event(counter, event, message.reference, issuers)
    return {
        kind: Finding(kind, counter.counts[kind], *counter.examples[kind])
        for kind in FindingKind
        if kind in counter.counts
    }


def _count_findings_of_event(
    counter: _Counter,
    event: Mapping[str, Any],
    reference: str,
    issuers: Collection[str] | None,
) -> None:
    event_type, objects = str(event.get("type", "")), event.get("objects") or []
    label = f"{event_type} {_first_number(objects)}".strip()
    if event_type == EventType.UNMAPPED:
        counter.add(FindingKind.UNMAPPED_TERMS, str(event.get("raw_type", ""))[:200], reference)
    is_certain = counter.settings is not None and counter.settings.zone_is_certain
    if Flag.ZONE_ASSUMED in (event.get("flags") or ()) and not is_certain:
        counter.add(FindingKind.TIMES_WITHOUT_ZONE, label, reference)
    kinds = {str(ref.get("kind", "")) for ref in objects}
    if event_type == EventType.SHIPMENT_CONFIRMED and not _has_quantities(event):
        counter.add(FindingKind.SHIPMENTS_WITHOUT_QUANTITIES, label, reference)
    if kinds and ObjectKind.ORDER not in kinds and event_type not in NOT_OF_ORDERS:
        counter.add(FindingKind.OBJECTS_WITHOUT_ORDER, label, reference)
    for ref in objects:
        for number in ref.get("identifiers") or ():
            issuer, scheme = str(number.get("issuer", "")), str(number.get("scheme", ""))
            is_unknown = not issuer or (issuers is not None and issuer not in issuers)
            if scheme in ISSUED_SCHEMES and is_unknown:
                text = f"{scheme} {number.get('value', '')} of {issuer or 'nobody'}"
                kind = FindingKind.NUMBERS_OF_UNKNOWN_ISSUERS
                counter.add(kind, text[:200], reference, issuer)


def _has_quantities(event: Mapping[str, Any]) -> bool:
    return any(line.get("quantities") for line in event.get("lines") or ())


def _first_number(objects: Sequence[Mapping[str, Any]]) -> str:
    for ref in objects:
        for number in ref.get("identifiers") or ():
            return str(number.get("value", ""))[:100]
    return ""


def finding_lines(findings: Iterable[Finding]) -> list[str]:
    """Return the findings as lines of text, for the command line."""
    lines = []
    for finding in findings:
        setting = f" (setting {finding.setting})" if finding.setting else ""
        lines.append(f"{finding.title}: {finding.count}, such as {finding.example}")
        lines.append(f"    {finding.reference}: {finding.remedy}{setting}")
    return lines or ["nothing is missing in what was read"]
