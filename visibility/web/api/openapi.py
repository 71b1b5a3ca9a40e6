"""What the OpenAPI document says beside the calls of this package."""

from typing import Any

from drf_spectacular.extensions import OpenApiAuthenticationExtension

from connectors.sdk.event_json import SCHEMA
from visibility.web.intake.problems import MEDIA

Document = dict[str, Any]
PROBLEM: Document = {
    "type": "object",
    "description": "RFC 9457.",
    "required": ["type", "title", "status", "instance"],
    "properties": {
        "type": {"type": "string"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "instance": {"type": "string", "description": "Quote it when you ask for help."},
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
WORDS = {
    "400": "A parameter or a field is wrong; `errors` names it.",
    "401": "Nobody is signed in.",
    "403": "The right is missing, or the CSRF token.",
    "404": "It does not exist.",
    "405": "Not with this method.",
    "409": "As things stand it can't be done, or the same Idempotency-Key is still running.",
    "413": "The body is too large.",
    "415": "The media type or the content coding is not read here.",
    "422": "The Idempotency-Key was used with another request.",
    "429": "Too fast: come again after `Retry-After` seconds.",
    "503": "Not now: come again after `Retry-After` seconds.",
}
KEY: Document = {
    "name": "Idempotency-Key",
    "in": "header",
    "schema": {"type": "string", "maxLength": 200},
    "description": "The same key again gets the same answer and does nothing again.",
}
EVENT: Document = {
    "type": "object",
    "description": "A CloudEvent 1.0.",
    "required": ["specversion", "id", "source", "type", "data"],
    "properties": {
        "specversion": {"const": "1.0"},
        "id": {"type": "string", "minLength": 1},
        "source": {"type": "string", "minLength": 1},
        "type": {"type": "string", "examples": ["order.released"]},
        "time": {"type": "string", "format": "date-time"},
        "data": {"$ref": "#/components/schemas/EventData"},
    },
}
KEPT: Document = {
    "type": "object",
    "required": ["message_id", "status"],
    "properties": {
        "message_id": {"type": "string"},
        "status": {"enum": ["accepted", "duplicate"]},
        "effective_at": {"type": "string", "format": "date-time"},
    },
}
RESULTS: Document = {
    "type": "object",
    "required": ["results"],
    "properties": {
        "results": {
            "type": "array",
            "items": {
                "anyOf": [
                    {"$ref": "#/components/schemas/Kept"},
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


class SessionScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]  # untyped base
    """The cookie of the pages."""

    target_class = "visibility.web.api.base.Session"
    name = "session"

    def get_security_definition(self, auto_schema: Any) -> Document:
        """As OpenAPI has it."""
        return {"type": "apiKey", "in": "cookie", "name": "sessionid"}


def _ref(name: str) -> Document:
    return {"$ref": f"#/components/schemas/{name}"}


def _problems(*codes: str) -> Document:
    return {code: {"$ref": f"#/components/responses/Problem{code}"} for code in codes}


def _json(schema: Document, description: str) -> Document:
    return {"description": description, "content": {"application/json": {"schema": schema}}}


def events() -> Document:
    """`POST /api/v1/events`, which is answered beside Django."""
    batch = {"type": "array", "maxItems": 1000, "items": _ref("CloudEvent")}
    return {
        "operationId": "events",
        "summary": "Tell what happened",
        "description": (
            "Canonical CloudEvents, structured, binary, as a batch or as NDJSON, with the bearer "
            "token of a source. 202 means durably kept. A batch is answered with a result for "
            "each event, 207 where some were refused."
        ),
        "tags": ["events"],
        "security": [{"sourceToken": []}],
        "requestBody": {
            "required": True,
            "content": {
                "application/cloudevents+json": {"schema": _ref("CloudEvent")},
                "application/cloudevents-batch+json": {"schema": batch},
                "application/x-ndjson": {"schema": {"type": "string"}},
                "application/json": {"schema": _ref("EventData")},
            },
        },
        "responses": {
            "202": _json({"anyOf": [_ref("Kept"), _ref("KeptResults")]}, "Durably kept."),
            "207": _json(_ref("KeptResults"), "A result for each event."),
            **_problems("400", "401", "409", "413", "415", "422", "429", "503"),
        },
    }


def hooks() -> Document:
    """`POST /hooks/{source}`, which is answered beside Django."""
    return {
        "operationId": "hooks",
        "summary": "A vendor's webhook, as it comes",
        "description": (
            "Signed as the vendor signs. Whatever is authentic and fits is kept and answered 202, "
            "readable or not; some vendors' handshakes and answers differ."
        ),
        "tags": ["hooks"],
        "security": [],
        "parameters": [
            {"name": "source", "in": "path", "required": True, "schema": {"type": "string"}}
        ],
        "requestBody": {"content": {"*/*": {"schema": {}}}},
        "responses": {
            "202": _json(_ref("Kept"), "Durably kept, now or before."),
            **_problems("400", "401", "404", "405", "413", "415", "429", "503"),
        },
    }


def complete(document: Document) -> Document:
    """Add what is answered beside Django, and what every call may answer."""
    components = document.setdefault("components", {})
    components.setdefault("schemas", {}).update(
        {
            "Problem": PROBLEM,
            "CloudEvent": EVENT,
            "EventData": {name: part for name, part in SCHEMA.items() if name != "$schema"},
            "Kept": KEPT,
            "KeptResults": RESULTS,
        }
    )
    components["responses"] = {
        f"Problem{code}": {
            "description": words,
            "content": {MEDIA: {"schema": _ref("Problem")}},
        }
        for code, words in WORDS.items()
    }
    components.setdefault("securitySchemes", {})["sourceToken"] = {
        "type": "http",
        "scheme": "bearer",
        "description": "The token of a source.",
    }
    for path, item in document["paths"].items():
        for method, call in item.items():
            codes = ["400", "401", "403", "503", *(["404"] if "{" in path else [])]
            if method in {"post", "put", "delete"}:
                codes += ["409", "413", "415", "422"]
                call.setdefault("parameters", []).append(KEY)
            call["summary"] = call["description"].partition(".")[0].partition("\n")[0]
            call["responses"] |= _problems(*sorted(codes))
    document["paths"] |= {
        "/api/v1/events": {"post": events()},
        "/hooks/{source}": {"post": hooks()},
    }
    return document
