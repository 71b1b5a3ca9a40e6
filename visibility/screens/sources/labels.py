"""Labels for source roles and states."""

from enum import StrEnum

from connectors.sdk.connector import SourceRole


class SourceState(StrEnum):
    """The state of a source, the worst first. Values are labels; the API uses the names."""

    FAILING = "Failing"
    SILENT = "No data"
    WAITING = "Waiting for first message"
    LIVE = "Live"
    PAUSED = "Paused"


STATE_TONES = {
    SourceState.FAILING: "late",
    SourceState.SILENT: "unknown",
    SourceState.WAITING: "waiting",
    SourceState.LIVE: "ok",
    SourceState.PAUSED: "waiting",
}
# Why a source is not failing; the cause of a failure is specific to the source.
STATE_EXPLANATIONS = {
    SourceState.SILENT: "no data for longer than expected",
    SourceState.WAITING: "no message received yet",
    SourceState.LIVE: "reporting normally",
    SourceState.PAUSED: "disabled: its messages are rejected",
}
ROLE_LABELS = {
    SourceRole.SHOP: "shop",
    SourceRole.EDI: "EDI",
    SourceRole.CRM: "CRM",
    SourceRole.ERP: "ERP",
    SourceRole.WMS: "WMS",
    SourceRole.THIRD_PARTY_LOGISTICS: "3PL",
    SourceRole.CARRIER: "carrier",
    SourceRole.FINANCE: "finance",
    SourceRole.OTHER: "other",
}
REJECTION_LABELS = {
    400: "invalid headers",
    401: "invalid signature",
    404: "unknown URL",
    405: "wrong HTTP method",
    413: "message too large",
    415: "unsupported content encoding",
    429: "rate limit exceeded",
    503: "database unavailable",
}
