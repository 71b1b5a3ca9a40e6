"""The parts of the OpenAPI document that are not generated from the API views."""

from typing import Any

from drf_spectacular.extensions import OpenApiAuthenticationExtension
from drf_spectacular.openapi import AutoSchema

from connectors.sdk.canonical_event_schema import CLOUD_EVENT
from connectors.sdk.event_schema import SCHEMA
from visibility.web.api.base import ApiTokenAuthentication, PageSessionAuthentication
from visibility.web.intake.problem_body import PROBLEM_TYPE

Document = dict[str, Any]
PROBLEM_SCHEMA: Document = {
    "type": "object",
    "description": "Problem details (RFC 9457).",
    "required": ["type", "title", "status", "instance"],
    "properties": {
        "type": {"type": "string"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "instance": {"type": "string", "description": "Quote this id when you ask for support."},
        "detail": {"type": "string"},
        "errors": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["path", "detail"],
                "properties": {"path": {"type": "string"}, "detail": {"type": "string"}},
            },
        },
    },
}
STATUS_DESCRIPTIONS = {
    "400": "A parameter or field is invalid; see `errors`.",
    "401": "Not signed in, or the API token is unknown, expired or revoked.",
    "403": "The user or the API token lacks permission, or the CSRF token is missing.",
    "404": "Not found.",
    "405": "Method not allowed.",
    "409": "The current state does not allow this, or a request with this key is running.",
    "413": "The body is too large.",
    "415": "Unsupported media type or content encoding.",
    "422": "The Idempotency-Key was used with a different request.",
    "429": "Rate limit exceeded: retry after `Retry-After` seconds.",
    "503": "Temporarily unavailable: retry after `Retry-After` seconds.",
}
PUBLIC_PATHS = frozenset({"/api/v1/event-schemas", "/api/v1/event-schemas/{kind}/{version}"})
IDEMPOTENCY_KEY_PARAMETER: Document = {
    "name": "Idempotency-Key",
    "in": "header",
    "schema": {"type": "string", "maxLength": 200},
    "description": "Makes a retry safe: the same key returns the first response.",
}
CLOUD_EVENT_SCHEMA: Document = {
    **{name: value for name, value in CLOUD_EVENT.items() if name != "$schema"},
    "properties": {
        **CLOUD_EVENT["properties"],
        "data": {"$ref": "#/components/schemas/EventData"},
    },
}
ACCEPTED_SCHEMA: Document = {
    "type": "object",
    "required": ["message_id", "status"],
    "properties": {
        "message_id": {"type": "string"},
        "status": {"enum": ["accepted", "duplicate"]},
        "effective_at": {"type": "string", "format": "date-time"},
    },
}
BATCH_RESULTS_SCHEMA: Document = {
    "type": "object",
    "required": ["results"],
    "properties": {
        "results": {
            "type": "array",
            "items": {
                "anyOf": [
                    {"$ref": "#/components/schemas/Accepted"},
                    {
                        "type": "object",
                        "properties": {
                            "status": {"type": "integer"},
                            "title": {"type": "string"},
                            "detail": {"type": "string"},
                        },
                    },
                ]
            },
        }
    },
}


class ApiViewAutoSchema(AutoSchema):
    """Describes the operations of the API views."""

    def get_filter_backends(self) -> list[Any]:
        """Detail views have query parameters, too; by default only lists have them."""
        return getattr(self.view, "filter_backends", [])

    def get_paginated_name(self, serializer_name: str) -> str:
        """The name of the component for a page."""
        return f"{serializer_name}s"


class SessionScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]  # untyped base
    """Describes the session cookie as an OpenAPI security scheme."""

    target_class = PageSessionAuthentication
    name = "session"

    def get_security_definition(self, auto_schema: Any) -> Document:
        """The security scheme object."""
        return {"type": "apiKey", "in": "cookie", "name": "sessionid"}


class ApiTokenScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]  # untyped base
    """Describes API tokens as an OpenAPI security scheme."""

    target_class = ApiTokenAuthentication
    name = "apiToken"

    def get_security_definition(self, auto_schema: Any) -> Document:
        """The security scheme object."""
        return {"type": "http", "scheme": "bearer", "description": "An API token (`/tokens`)."}


def _schema_reference(name: str) -> Document:
    return {"$ref": f"#/components/schemas/{name}"}


def _problem_response_references(*codes: str) -> Document:
    return {code: {"$ref": f"#/components/responses/Problem{code}"} for code in codes}


def _describe_json_response(schema: Document, description: str) -> Document:
    return {"description": description, "content": {"application/json": {"schema": schema}}}


def events_operation() -> Document:
    """The operation of `POST /api/v1/events`, which is served outside Django."""
    batch = {"type": "array", "maxItems": 1000, "items": _schema_reference("CloudEvent")}
    return {
        "operationId": "events",
        "summary": "Send events",
        "description": (
            "Send canonical CloudEvents in structured or binary mode, as a batch or as NDJSON, "
            "with the bearer token of a source. `GET /api/v1/event-schemas` lists the event types "
            "with a JSON Schema of the data of each; all schemas and their versions are at "
            "`/schemas`. `POST /api/v1/event-schemas/check` checks an event without storing it. "
            "202 means durably stored. A batch returns one "
            "result per event, with status 207 if some events were rejected."
        ),
        "tags": ["events"],
        "security": [{"sourceToken": []}],
        "requestBody": {
            "required": True,
            "content": {
                "application/cloudevents+json": {"schema": _schema_reference("CloudEvent")},
                "application/cloudevents-batch+json": {"schema": batch},
                "application/x-ndjson": {"schema": {"type": "string"}},
                "application/json": {"schema": _schema_reference("EventData")},
            },
        },
        "responses": {
            "202": _describe_json_response(
                {"anyOf": [_schema_reference("Accepted"), _schema_reference("BatchResults")]},
                "Durably stored.",
            ),
            "207": _describe_json_response(
                _schema_reference("BatchResults"), "One result per event."
            ),
            **_problem_response_references("400", "401", "409", "413", "415", "422", "429", "503"),
        },
    }


def webhook_operation() -> Document:
    """The operation of `POST /hooks/{source}`, which is served outside Django."""
    return {
        "operationId": "hooks",
        "summary": "Receive a vendor webhook",
        "description": (
            "Receives webhooks with the vendor's own signature. Every authentic request within "
            "the size limit is stored and answered with 202, even if its body cannot be parsed. "
            "Some vendors require a different handshake or response."
        ),
        "tags": ["hooks"],
        "security": [],
        "parameters": [
            {"name": "source", "in": "path", "required": True, "schema": {"type": "string"}}
        ],
        "requestBody": {"content": {"*/*": {"schema": {}}}},
        "responses": {
            "202": _describe_json_response(
                _schema_reference("Accepted"), "Durably stored, now or earlier."
            ),
            **_problem_response_references("400", "401", "404", "405", "413", "415", "429", "503"),
        },
    }


def extend_document(document: Document) -> Document:
    """Add the intake operations and the problem responses; return the changed document."""
    components = document.setdefault("components", {})
    components.setdefault("schemas", {}).update(
        {
            "Problem": PROBLEM_SCHEMA,
            "CloudEvent": CLOUD_EVENT_SCHEMA,
            "EventData": {
                name: subschema for name, subschema in SCHEMA.items() if name != "$schema"
            },
            "Accepted": ACCEPTED_SCHEMA,
            "BatchResults": BATCH_RESULTS_SCHEMA,
        }
    )
    components["responses"] = {
        f"Problem{code}": {
            "description": description,
            "content": {PROBLEM_TYPE: {"schema": _schema_reference("Problem")}},
        }
        for code, description in STATUS_DESCRIPTIONS.items()
    }
    components.setdefault("securitySchemes", {})["sourceToken"] = {
        "type": "http",
        "scheme": "bearer",
        "description": "The bearer token of a source.",
    }
    for path, item in document["paths"].items():
        for method, operation in item.items():
            # Documents that describe the API need no sign-in.
            is_public = path in PUBLIC_PATHS
            codes = ["400", "503", *(["404"] if "{" in path else [])]
            codes += [] if is_public else ["401", "403"]
            if method in {"post", "put", "delete"}:
                codes += ["409", "413", "415", "422"]
                operation.setdefault("parameters", []).append(IDEMPOTENCY_KEY_PARAMETER)
            operation["summary"] = operation["description"].partition(".")[0].partition("\n")[0]
            operation["responses"] |= _problem_response_references(*sorted(codes))
    document["paths"] |= {
        "/api/v1/events": {"post": events_operation()},
        "/hooks/{source}": {"post": webhook_operation()},
    }
    return document
