"""What went wrong, as RFC 9457 problem details: a sentence for the caller, nothing internal."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any

import orjson
from django.core.exceptions import (
    BadRequest,
    PermissionDenied,
    RequestDataTooBig,
    SuspiciousOperation,
)
from django.db import InterfaceError, OperationalError
from django.http import Http404, HttpResponse, UnreadablePostError
from rest_framework import exceptions

from connectors.sdk.payload import PayloadError
from visibility.web.intake.problems import MEDIA, problem

log = logging.getLogger(__name__)
RETRY_SECONDS = "5"


class Invalid(exceptions.APIException):
    """A parameter or a field of the body is wrong: its name, and what was expected."""

    status_code = HTTPStatus.BAD_REQUEST

    def __init__(self, name: str, sentence: str) -> None:
        super().__init__(f"{name}: {sentence}" if name else sentence)
        self.errors = [{"path": name, "detail": sentence}]


class Conflict(exceptions.APIException):
    """As things stand it can't be done."""

    status_code = HTTPStatus.CONFLICT


class Unprocessable(exceptions.APIException):
    """It is well formed and still can't be taken."""

    status_code = HTTPStatus.UNPROCESSABLE_ENTITY


class TooLarge(exceptions.APIException):
    """More than anybody needs to send."""

    status_code = HTTPStatus.REQUEST_ENTITY_TOO_LARGE


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer before it is sent, so that it can also be kept and given again."""

    status: int
    body: bytes
    media: str = "application/json"
    headers: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def of(cls, content: object, *, status: int = 200) -> "Answer":
        """From plain JSON values."""
        return cls(status, orjson.dumps(content))

    def response(self) -> HttpResponse:
        """The answer on its way."""
        return HttpResponse(
            self.body, status=self.status, content_type=self.media, headers=self.headers
        )


def handler(error: Exception, _: Mapping[str, Any]) -> HttpResponse:
    """Every failure of a call (settings name this function); none shows a page or a trace."""
    return answer_of(error).response()


def answer_of(error: Exception) -> Answer:
    """The problem that an error is, for the caller."""
    if isinstance(error, exceptions.APIException):
        return _of_call(error)
    for kind, status in KNOWN:
        if isinstance(error, kind):
            headers = {"Retry-After": RETRY_SECONDS} if status == 503 else {}
            if status == 503:
                log.warning("event=api_unavailable error=%s", type(error).__name__)
            return _answer(status, SENTENCES.get(status, ""), headers=headers)
    if isinstance(error, PayloadError):
        errors = [{"path": error.path, "detail": error.detail}]
        return _answer(400, f"body: {error.detail}", errors=errors)
    answer = _answer(500, "")
    log.error("event=api_failed instance=%s", instance(answer), exc_info=error)
    return answer


KNOWN: Sequence[tuple[type[Exception], int]] = (
    (Http404, 404),
    (PermissionDenied, 403),
    (RequestDataTooBig, 413),
    (SuspiciousOperation, 400),
    (BadRequest, 400),
    (UnreadablePostError, 400),
    (OperationalError, 503),
    (InterfaceError, 503),
)
SENTENCES = {
    400: "The request can't be read.",
    403: "You do not have the right to do this.",
    404: "There is nothing here.",
    503: "Not now: try again in a few seconds.",
}


def _of_call(error: exceptions.APIException) -> Answer:
    headers = {}
    if challenge := getattr(error, "auth_header", ""):
        headers["WWW-Authenticate"] = challenge
    if wait := getattr(error, "wait", None):
        headers["Retry-After"] = str(wait)
    errors = getattr(error, "errors", None)
    if isinstance(error, exceptions.ValidationError):
        errors = list(_flat(error.detail, ""))
        first = errors[0]
        detail = f"{first['path']}: {first['detail']}" if first["path"] else first["detail"]
        return _answer(400, detail, errors=errors, headers=headers)
    detail = str(error.detail)
    if isinstance(error, exceptions.NotFound):
        detail = SENTENCES[404]
    return _answer(error.status_code, detail, errors=errors, headers=headers)


def _flat(detail: Any, path: str) -> list[dict[str, str]]:
    """Nested validation errors as a list of paths and sentences."""
    if isinstance(detail, Mapping):
        return [
            one
            for key, value in detail.items()
            for one in _flat(value, f"{path}.{key}" if path else str(key))
        ]
    if isinstance(detail, Sequence) and not isinstance(detail, str):
        return [one for value in detail for one in _flat(value, path)]
    return [{"path": path.removesuffix(".non_field_errors"), "detail": str(detail)}]


def _answer(
    status: int,
    detail: str,
    *,
    errors: Sequence[Mapping[str, str]] | None = None,
    headers: Mapping[str, str] | None = None,
) -> Answer:
    more = {"errors": list(errors)} if errors else {}
    body = problem(status, HTTPStatus(status).phrase, detail=detail[:1000], **more)
    return Answer(status, body, MEDIA, headers or {})


def instance(answer: Answer) -> str:
    """The correlation id of a problem."""
    return str(orjson.loads(answer.body)["instance"])
