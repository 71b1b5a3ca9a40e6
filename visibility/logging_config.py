"""Logs: one event per line as logfmt or JSON, the same for structlog and standard-library loggers.

Every line begins with `timestamp` (UTC), `level`, `logger` and `event`. Log ids, never objects;
never payloads, headers, secrets or personal data.
"""

import re
from collections.abc import MutableMapping
from typing import Any

import structlog

FORMATS = ("logfmt", "json")
FIRST_KEYS = ("timestamp", "level", "logger", "event")
# A safety net: the value of such a key is never written.
SECRET_KEYS = frozenset(
    ("authorization", "body", "cookie", "headers", "password", "payload", "secret", "token")
)
# Characters at which a reader or a terminal may begin a new line or read a command.
CONTROL = re.compile("[\x00-\x09\x0b-\x1f\x7f-\x9f\u2028\u2029]")
# The token of a link that opens a page without sign-in.
TOKEN_IN_PATH = re.compile(r"(/(?:track|screens|setup|account/link)/)[^\s\"'?#]+", re.IGNORECASE)
EventDict = MutableMapping[str, Any]


def configure_structlog_and_return_logging_dict(*, level: str, log_format: str) -> dict[str, Any]:
    """Configure structlog, and return the settings for `logging.config.dictConfig`."""
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {
            "line": {"()": "visibility.logging_config.make_formatter", "log_format": log_format}
        },
        "handlers": {"console": {"class": "logging.StreamHandler", "formatter": "line"}},
        "root": {"handlers": ["console"], "level": level},
        "loggers": {
            # A line for each of the tasks that run every few seconds says nothing.
            "celery": {"level": "WARNING"},
            # It logs whole addresses at INFO, and some systems want a token in the address.
            "httpx2": {"level": "WARNING"},
            # uvicorn sets handlers of its own; its access log stays off.
            "uvicorn": {"handlers": [], "propagate": True},
            "uvicorn.error": {"handlers": [], "propagate": True},
        },
    }


def make_formatter(*, log_format: str) -> structlog.stdlib.ProcessorFormatter:
    """The formatter of every handler; `log_format` is one of FORMATS."""
    renderers: list[Any]
    if log_format == "json":
        renderers = [move_standard_keys_first, structlog.processors.JSONRenderer(default=str)]
    else:
        renderers = [
            escape_control_characters,
            structlog.processors.LogfmtRenderer(
                key_order=FIRST_KEYS, drop_missing=True, bool_as_flag=False
            ),
        ]
    return structlog.stdlib.ProcessorFormatter(
        processors=[
            structlog.stdlib.add_log_level,
            structlog.stdlib.add_logger_name,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.stdlib.ProcessorFormatter.remove_processors_meta,
            # The trace as one value; local variables are left out, they may hold anything.
            structlog.processors.format_exc_info,
            redact_secrets,
            *renderers,
        ],
    )


def redact_secrets(_logger: object, _method: str, event_dict: EventDict) -> EventDict:
    """Replace the values of keys that name something secret, and the tokens in paths."""
    for key in SECRET_KEYS.intersection(event_dict):
        event_dict[key] = "[redacted]"
    for key, value in event_dict.items():
        if isinstance(value, str) and "/" in value:
            event_dict[key] = TOKEN_IN_PATH.sub(r"\1[redacted]", value)
    return event_dict


def escape_control_characters(_logger: object, _method: str, event_dict: EventDict) -> EventDict:
    """Keep an event on one line; the renderer itself escapes only line feeds."""
    for key, value in event_dict.items():
        if value is not None and not isinstance(value, bool | int | float):
            event_dict[key] = CONTROL.sub(lambda match: f"\\x{ord(match[0]):02x}", str(value))
    return event_dict


def move_standard_keys_first(_logger: object, _method: str, event_dict: EventDict) -> EventDict:
    """Put the keys of every line first, as logfmt has them."""
    first = {key: event_dict[key] for key in FIRST_KEYS if key in event_dict}
    return first | {key: value for key, value in event_dict.items() if key not in first}
