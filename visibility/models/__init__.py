"""Database tables and their constraints."""

from visibility.models.alerts import (
    ACTIVE_ALERT_STATES,
    Alert,
    AlertClosingReason,
    AlertEntry,
    AlertKind,
    AlertMention,
    AlertState,
    DigestInterval,
    Notification,
    NotificationState,
    Subscription,
)
from visibility.models.allowed_addresses import AllowedAddress
from visibility.models.api_tokens import ApiToken
from visibility.models.audit import AuditEntry, AuditHead
from visibility.models.background_exports import (
    BackgroundExport,
    BackgroundExportChunk,
    BackgroundExportState,
)
from visibility.models.batches import BatchSchedule, RepeatedBatch, SourceBatch
from visibility.models.boards import Board, BoardSharing, ScreenLink, StartBoard
from visibility.models.change_feed import Change, ChangeHead, ConfigurationVersion
from visibility.models.customer_brand import CustomerBrand
from visibility.models.decisions_and_merges import (
    DecisionIdentifier,
    IdentityDecision,
    Merge,
    MovedAlert,
    MovedAlertEntry,
)
from visibility.models.deliveries import DeliveryAttempt
from visibility.models.demo_data import DemoData, DemoDataState
from visibility.models.demo_tour import DemoTourEntry
from visibility.models.events import Event, EventCorrection, EventObjectLink, EventReader
from visibility.models.heartbeats import Heartbeat
from visibility.models.idempotency import IdempotencyKey
from visibility.models.identity_provider import IdentityProvider, UnknownPeople
from visibility.models.imports import ImportPart, ImportRow, ImportState, MasterImport
from visibility.models.key_replacements import KeyReplacement
from visibility.models.kpi_notes import KpiNote
from visibility.models.kpi_targets import KpiTarget
from visibility.models.kpis import (
    FailedKpi,
    KpiCell,
    KpiFact,
    KpiFactChange,
    KpiRecordChange,
    KpiRecountRequest,
)
from visibility.models.list_views import ListColumnChoice, OrderLaneChoice, SavedView
from visibility.models.mail_server import MailSecurity, MailServer
from visibility.models.manifests import Manifest, ManifestSample, ManifestVersion
from visibility.models.master import (
    BackfillRequest,
    Customer,
    IgnoredTerm,
    Item,
    Location,
    MasterChange,
    TaxJurisdiction,
    TermKind,
    TermMapping,
    TermUsage,
    UnitFactor,
    WatchedVocabulary,
)
from visibility.models.message_bodies import (
    MessageBody,
    MessageBodyMove,
    MessageBodyPartition,
)
from visibility.models.message_replays import MessageReplay
from visibility.models.objects_and_identifiers import (
    BusinessObject,
    CustomerName,
    Identifier,
    ObjectRelation,
    UnmatchedObject,
)
from visibility.models.open_conflicts import Conflict
from visibility.models.order_notes import OrderMention, OrderNote, OrderWatch
from visibility.models.orders import Milestone, Order, OrderLine, Shipment
from visibility.models.organization import Organization, SetupLink, WeekStart
from visibility.models.parked_message_decisions import EditedMessage, MessageDiscard
from visibility.models.people import (
    AccountLink,
    AccountLinkPurpose,
    AccountMailState,
    PersonScope,
    SecuritySettings,
    SignInThrottle,
    ThrottleScope,
)
from visibility.models.queue_connections import QueueConnection
from visibility.models.refold_requests import RefoldRequest
from visibility.models.release_checks import ReleaseCheck, ReleaseCheckState
from visibility.models.rule_rechecks import RuleRecheck
from visibility.models.rules_clocks_and_calendars import (
    ClockState,
    FailedClock,
    Severity,
    SlaClock,
    SlaRule,
    WorkCalendar,
)
from visibility.models.saml_provider import SamlProvider, SamlSignIn, SignInProvider
from visibility.models.source_records import (
    FieldChangeKind,
    OutgoingRequest,
    RequestCount,
    SentVersion,
    SourceField,
    SourceFieldChange,
    SourceFieldSample,
    SourceMaintenance,
)
from visibility.models.source_requests import UnstoredRequest
from visibility.models.sources_and_messages import (
    Cursor,
    InboundMessage,
    MessageKey,
    MessageState,
    PollRound,
    RejectedRequestCount,
    Source,
    SourceActivity,
    UnusableSource,
)
from visibility.models.teams import Team, find_or_create_team
from visibility.models.telemetry import (
    QueueHour,
    TelemetryHour,
    TelemetryKey,
    TelemetryNumber,
    TelemetrySample,
    TelemetrySeries,
)
from visibility.models.tracking_links import TrackingLink
from visibility.models.tracking_subscribers import TrackingSubscriber

__all__ = [
    "ACTIVE_ALERT_STATES",
    "AccountLink",
    "AccountLinkPurpose",
    "AccountMailState",
    "Alert",
    "AlertClosingReason",
    "AlertEntry",
    "AlertKind",
    "AlertMention",
    "AlertState",
    "AllowedAddress",
    "ApiToken",
    "AuditEntry",
    "AuditHead",
    "BackfillRequest",
    "BackgroundExport",
    "BackgroundExportChunk",
    "BackgroundExportState",
    "BatchSchedule",
    "Board",
    "BoardSharing",
    "BusinessObject",
    "Change",
    "ChangeHead",
    "ClockState",
    "ConfigurationVersion",
    "Conflict",
    "Cursor",
    "Customer",
    "CustomerBrand",
    "CustomerName",
    "DecisionIdentifier",
    "DeliveryAttempt",
    "DemoData",
    "DemoDataState",
    "DemoTourEntry",
    "DigestInterval",
    "EditedMessage",
    "Event",
    "EventCorrection",
    "EventObjectLink",
    "EventReader",
    "FailedClock",
    "FailedKpi",
    "FieldChangeKind",
    "Heartbeat",
    "IdempotencyKey",
    "Identifier",
    "IdentityDecision",
    "IdentityProvider",
    "IgnoredTerm",
    "ImportPart",
    "ImportRow",
    "ImportState",
    "InboundMessage",
    "Item",
    "KeyReplacement",
    "KpiCell",
    "KpiFact",
    "KpiFactChange",
    "KpiNote",
    "KpiRecordChange",
    "KpiRecountRequest",
    "KpiTarget",
    "ListColumnChoice",
    "Location",
    "MailSecurity",
    "MailServer",
    "Manifest",
    "ManifestSample",
    "ManifestVersion",
    "MasterChange",
    "MasterImport",
    "Merge",
    "MessageBody",
    "MessageBodyMove",
    "MessageBodyPartition",
    "MessageDiscard",
    "MessageKey",
    "MessageReplay",
    "MessageState",
    "Milestone",
    "MovedAlert",
    "MovedAlertEntry",
    "Notification",
    "NotificationState",
    "ObjectRelation",
    "Order",
    "OrderLaneChoice",
    "OrderLine",
    "OrderMention",
    "OrderNote",
    "OrderWatch",
    "Organization",
    "OutgoingRequest",
    "PersonScope",
    "PollRound",
    "QueueConnection",
    "QueueHour",
    "RefoldRequest",
    "RejectedRequestCount",
    "ReleaseCheck",
    "ReleaseCheckState",
    "RepeatedBatch",
    "RequestCount",
    "RuleRecheck",
    "SamlProvider",
    "SamlSignIn",
    "SavedView",
    "ScreenLink",
    "SecuritySettings",
    "SentVersion",
    "SetupLink",
    "Severity",
    "Shipment",
    "SignInProvider",
    "SignInThrottle",
    "SlaClock",
    "SlaRule",
    "Source",
    "SourceActivity",
    "SourceBatch",
    "SourceField",
    "SourceFieldChange",
    "SourceFieldSample",
    "SourceMaintenance",
    "StartBoard",
    "Subscription",
    "TaxJurisdiction",
    "Team",
    "TelemetryHour",
    "TelemetryKey",
    "TelemetryNumber",
    "TelemetrySample",
    "TelemetrySeries",
    "TermKind",
    "TermMapping",
    "TermUsage",
    "ThrottleScope",
    "TrackingLink",
    "TrackingSubscriber",
    "UnitFactor",
    "UnknownPeople",
    "UnmatchedObject",
    "UnstoredRequest",
    "UnusableSource",
    "WatchedVocabulary",
    "WeekStart",
    "WorkCalendar",
    "find_or_create_team",
]
