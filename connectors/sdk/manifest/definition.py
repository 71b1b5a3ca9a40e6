"""A manifest after parsing: typed, immutable, without any text that still needs interpretation."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from enum import StrEnum
from typing import Any

from connectors.sdk.connector import SourceRole
from connectors.sdk.events import (
    Attribute,
    EventType,
    IdentifierScheme,
    Measure,
    ObjectKind,
)
from connectors.sdk.fixed_width import FixedWidthLayout
from connectors.sdk.manifest.operators import (
    FieldCondition,
    ListOperator,
    TimeOperator,
    ValueOperator,
)
from connectors.sdk.manifest.paths import Path, ScalarReadingRules, Template
from connectors.sdk.manifest.sql_rule import SqlRule
from connectors.sdk.manifest.telemetry_rule import TelemetryRule
from connectors.sdk.manifest.webhook_rule import WebhookRule
from connectors.sdk.sender_versions import VersionDeclaration
from connectors.sdk.settings import Setting


@dataclass(frozen=True, slots=True)
class IdentifierRule:
    """One identifier of an object.

    `range_setting` names a setting such as sales_order@erp, which gives scheme and issuer; without
    a value of that setting there is no identifier, unless `scheme` is the default. With
    `sentence_if_missing`, a record without a value is parked with it.
    """

    value: ValueOperator
    scheme: IdentifierScheme | None = None
    range_setting: str = ""
    issuer: Template | None = None
    is_weak: bool = False
    sentence_if_missing: str = ""


@dataclass(frozen=True, slots=True)
class ObjectRule:
    """The object or objects of one kind that a record is about."""

    kind: ObjectKind
    numbers: tuple[IdentifierRule, ...]
    elements: ListOperator | None = None


@dataclass(frozen=True, slots=True)
class LinesRule:
    """The order lines of a record."""

    elements: ListOperator
    line_id: ValueOperator
    condition: FieldCondition = field(default_factory=FieldCondition)
    sku: ValueOperator | None = None
    description: ValueOperator | None = None
    unit: ValueOperator | None = None
    price: ValueOperator | None = None
    # What passes is shipped; services and fees do not pass.
    goods_condition: FieldCondition = field(default_factory=FieldCondition)


@dataclass(frozen=True, slots=True)
class EventRule:
    """One event of a record, or of each element of one of its lists."""

    event_type: ValueOperator
    key: Template
    raw_type: ValueOperator | None = None
    condition: FieldCondition = field(default_factory=FieldCondition)
    elements: ListOperator | None = None
    at: TimeOperator | None = None
    revision: ValueOperator | TimeOperator | None = None
    scope: Template | None = None
    quantities: Mapping[Measure, ValueOperator] = field(default_factory=dict)
    sums_lines: bool = False
    attributes: "Mapping[Attribute, AttributeRule]" = field(default_factory=dict)
    corrects: tuple[Template, ...] = ()
    complete_measures: tuple[Measure, ...] = ()
    takes_back: tuple[EventType, ...] = ()


AttributeRule = ValueOperator | TimeOperator


@dataclass(frozen=True, slots=True)
class IgnoreRule:
    """Records without events, with the reason; `unless_setting` is a yes/no setting."""

    condition: FieldCondition
    reason: str
    unless_setting: str = ""


@dataclass(frozen=True, slots=True)
class EnvelopeRule:
    """The member of a message that contains the record, if the message is such an envelope."""

    record: Path
    condition: FieldCondition = field(default_factory=FieldCondition)


@dataclass(frozen=True, slots=True)
class ReadRule:
    """How the bytes of a message become records."""

    format: str
    records: ListOperator | None = None
    envelope: EnvelopeRule | None = None
    # Where an answer of the API has its records, if a whole answer arrives as a message.
    answers: tuple[ListOperator, ...] = ()
    reading: ScalarReadingRules = field(default_factory=ScalarReadingRules)
    delimiter: str = ","
    quote: str = '"'
    charset: str = "utf-8"
    has_header: bool = True
    columns: tuple[str, ...] = ()
    skip_rows: int = 0
    # Rows of a table whose first field is one of these are no records, such as TRL.
    skip_begins: frozenset[str] = frozenset()
    group: tuple[str, ...] = ()
    # Of the format fixed_width.
    layout: FixedWidthLayout | None = None


class RequestKind(StrEnum):
    """What a poll sends."""

    GET = "get"
    JSON = "json"
    FORM = "form"
    MULTIPART = "multipart"
    GRAPHQL = "graphql"
    JSON_RPC = "json_rpc"


@dataclass(frozen=True, slots=True)
class RequestRule:
    """The request of a poll.

    `body` has templates as its texts: a JSON document, the fields of a form, GraphQL variables or
    JSON-RPC params. `operation` is the GraphQL query or the JSON-RPC method.
    """

    url: Template
    kind: RequestKind = RequestKind.GET
    query: Mapping[str, Template] = field(default_factory=dict)
    headers: Mapping[str, Template] = field(default_factory=dict)
    body: Any = None
    operation: str = ""


@dataclass(frozen=True, slots=True)
class PollAuthorizationRule:
    """How the requests of a poll are authorized. `method` "": not at all.

    `options` are fixed texts, such as the algorithm of a signature.
    """

    method: str = ""
    texts: Mapping[str, Template] = field(default_factory=dict)
    options: Mapping[str, str] = field(default_factory=dict)
    refresh_token_lasts: timedelta = timedelta()


@dataclass(frozen=True, slots=True)
class ListedFileDownloadRule:
    """The files that the records of a listing name. Each file becomes a message.

    Paths in the templates start at the record. `is_authorized`: requested with the authorization
    of the poll, and only from its host.
    """

    url: Template
    name: Template
    pattern: str = ""
    is_authorized: bool = True


@dataclass(frozen=True, slots=True)
class PollRule:
    """The poll door: a request, its authorization, its pages and its cursor."""

    every: timedelta
    request: RequestRule
    auth: PollAuthorizationRule = field(default_factory=PollAuthorizationRule)
    records: ListOperator | None = None
    records_optional: bool = False
    files: ListedFileDownloadRule | None = None
    record_key: Template | None = None
    cursor_field: ValueOperator | None = None
    cursor_query: str = ""
    cursor_header: str = ""
    cursor_format: str = ""
    cursor_start: str = ""
    overlap: timedelta = timedelta()
    next_page: Mapping[str, str] = field(default_factory=dict)
    page_size: int = 100
    about_open_packages: bool = False
    # Texts that the name of the carrier contains; empty: packages of every carrier.
    carriers: tuple[str, ...] = ()
    # The API's code of a carrier, by a text that the name of the carrier contains.
    carrier_codes: Mapping[str, str] = field(default_factory=dict)
    # Patterns of the numbers of packages whose carrier is unknown; empty: all of them.
    unnamed_carrier: tuple[str, ...] = ()
    # Statuses of a response that says that the numbers are unknown.
    unknown_number: frozenset[int] = frozenset()
    numbers_per_call: int = 30
    limit_calls: Template | None = None
    limit_period: timedelta = timedelta()
    is_conditional: bool = False


@dataclass(frozen=True, slots=True)
class Example:
    """A payload and what it gives: event types, the reason why it is ignored, or the error."""

    file: str = ""
    text: str = ""
    settings: Mapping[str, str] = field(default_factory=dict)
    event_types: tuple[str, ...] | None = None
    ignored: str = ""
    parked: str = ""


@dataclass(frozen=True, slots=True)
class ManifestDefinition:
    """A declarative connector."""

    slug: str
    version: int
    title: str
    role: SourceRole
    description: str
    read: ReadRule
    events: tuple[EventRule, ...]
    setup: str = ""
    topics: tuple[str, ...] = ()
    permissions: tuple[str, ...] = ()
    not_covered: tuple[str, ...] = ()
    versions: tuple[VersionDeclaration, ...] = ()
    settings: tuple[Setting, ...] = ()
    webhook: WebhookRule | None = None
    poll: PollRule | None = None
    sql: SqlRule | None = None
    accepts_files: bool = False
    file_pattern: str = ""
    # Defaults of the settings of batches by name: the section `expect`.
    batch_defaults: Mapping[str, str] = field(default_factory=dict)
    ignore: tuple[IgnoreRule, ...] = ()
    objects: tuple[ObjectRule, ...] = ()
    attributes: Mapping[Attribute, AttributeRule] = field(default_factory=dict)
    lines: LinesRule | None = None
    telemetry: tuple[TelemetryRule, ...] = ()
    codes: Mapping[str, frozenset[str]] = field(default_factory=dict)
    examples: tuple[Example, ...] = ()
