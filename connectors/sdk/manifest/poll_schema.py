"""The JSON Schema of `receive.poll`."""

from connectors.sdk.manifest.poll_state import CURSOR_FORMATS
from connectors.sdk.manifest.schema_elements import (
    DURATION,
    INTEGER,
    TEXT,
    YES_NO,
    closed_object_schema,
)

TEXTS_BY_NAME = {"type": "object", "additionalProperties": {"type": "string"}}
OAUTH2_CLIENT = {
    "token_url": TEXT,
    "client_id": TEXT,
    "client_secret": TEXT,
    "scope": TEXT,
    "client_auth": {"enum": ["form", "basic"]},
}
POLL_AUTH = closed_object_schema(
    {
        "basic": TEXT,
        "bearer": TEXT,
        "header": closed_object_schema({"name": TEXT, "value": TEXT}, "name", "value"),
        "query_token": closed_object_schema({"name": TEXT, "value": TEXT}, "name", "value"),
        "hmac": closed_object_schema(
            {
                "secret": TEXT,
                "header": TEXT,
                "signed": TEXT,
                "algorithm": {"enum": ["sha1", "sha256", "sha512"]},
                "encoding": {"enum": ["base64", "hex"]},
                "prefix": TEXT,
                "timestamp_header": TEXT,
                "timestamp": {"enum": ["unix", "unix_ms", "rfc3339"]},
            },
            "secret",
            "header",
            "signed",
        ),
        "oauth2_client_credentials": closed_object_schema(
            OAUTH2_CLIENT, "token_url", "client_id", "client_secret"
        ),
        "oauth2_refresh_token": closed_object_schema(
            {**OAUTH2_CLIENT, "refresh_token": TEXT, "refresh_token_lasts": DURATION},
            "token_url",
            "client_id",
            "client_secret",
            "refresh_token",
        ),
        "oauth1": closed_object_schema(
            {
                "consumer_key": TEXT,
                "consumer_secret": TEXT,
                "token": TEXT,
                "token_secret": TEXT,
                "realm": TEXT,
            },
            "consumer_key",
            "consumer_secret",
            "token",
            "token_secret",
        ),
    }
)
POLL = closed_object_schema(
    {
        "every": DURATION,
        "get": TEXT,
        "post": TEXT,
        "body": {"type": ["object", "array"]},
        "form": TEXTS_BY_NAME,
        "multipart": TEXTS_BY_NAME,
        "graphql": closed_object_schema({"query": TEXT, "variables": {"type": "object"}}, "query"),
        "json_rpc": closed_object_schema(
            {"method": TEXT, "params": {"type": ["object", "array"]}}, "method"
        ),
        "query": TEXTS_BY_NAME,
        "headers": TEXTS_BY_NAME,
        "auth": POLL_AUTH,
        "records": TEXT,
        "records_optional": YES_NO,
        "files": closed_object_schema(
            {"url": TEXT, "name": TEXT, "pattern": TEXT, "authorized": YES_NO}, "url", "name"
        ),
        "record_key": TEXT,
        "cursor": closed_object_schema(
            {
                "field": TEXT,
                "query": TEXT,
                "header": TEXT,
                "format": {"enum": list(CURSOR_FORMATS)},
                "overlap": DURATION,
                "start": {"type": "string"},
            },
            "field",
        ),
        "next": closed_object_schema(
            {
                "link_header": YES_NO,
                "url_field": TEXT,
                "page_query": TEXT,
                "offset_query": TEXT,
                "page_in_body": YES_NO,
                "offset_in_body": YES_NO,
                "page_info": TEXT,
                "cursor_field": TEXT,
                "cursor_query": TEXT,
                "from_newest": YES_NO,
                "size": INTEGER,
            }
        ),
        "conditional": YES_NO,
        "about": {"enum": ["open_packages"]},
        "carriers": {"type": "array", "items": TEXT},
        "numbers_per_call": INTEGER,
        "limit": closed_object_schema({"calls": INTEGER, "per": DURATION}, "calls", "per"),
    },
    "every",
)
