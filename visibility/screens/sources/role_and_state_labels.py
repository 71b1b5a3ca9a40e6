"""Labels for source roles and states."""

from enum import StrEnum

from connectors.sdk.connector import SourceRole


class SourceState(StrEnum):
    """The state of a source, the worst first. Values are labels; the API uses the names."""

    FAILING = "Failing"
    PARKED = "All messages parked"
    SILENT = "No data"
    MAINTENANCE = "In maintenance"
    UNPOLLED_HOURS = "Quiet hours"
    THROTTLED = "Throttled"
    CATCHING_UP = "Catching up"
    WAITING = "Waiting for first message"
    LIVE = "Live"
    PAUSED = "Paused"


STATE_TONES = {
    SourceState.FAILING: "late",
    SourceState.PARKED: "late",
    SourceState.SILENT: "unknown",
    SourceState.MAINTENANCE: "unknown",
    SourceState.UNPOLLED_HOURS: "waiting",
    SourceState.THROTTLED: "waiting",
    SourceState.CATCHING_UP: "waiting",
    SourceState.WAITING: "waiting",
    SourceState.LIVE: "ok",
    SourceState.PAUSED: "waiting",
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
