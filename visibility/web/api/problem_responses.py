"""API errors as RFC 9457 problem details, without internal information."""

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
from structlog.stdlib import get_logger

from connectors.sdk.payload import PayloadError
from connectors.sdk.settings import SettingError
from visibility.web.intake.problem_body import PROBLEM_TYPE, problem_body

log = get_logger(__name__)
RETRY_AFTER = "5"


class InvalidInput(exceptions.APIException):
    """A query parameter or body field is invalid: its name and what was expected."""

    status_code = HTTPStatus.BAD_REQUEST

    def __init__(self, name: str, message: str) -> None:
        super().__init__(f"{name}: {message}" if name else message)
        self.errors = [{"path": name, "detail": message}]


class InvalidFieldsInput(InvalidInput):
    """Fields are invalid, each with its sentence."""

    def __init__(self, errors: Sequence[SettingError]) -> None:
        super().__init__("", " ".join(error.sentence for error in errors))
        self.errors = [{"path": error.name, "detail": error.sentence} for error in errors]


class ConflictError(exceptions.APIException):
    """The current state does not allow the action."""

    status_code = HTTPStatus.CONFLICT


class UnprocessableError(exceptions.APIException):
    """The request is well formed but cannot be processed."""

    status_code = HTTPStatus.UNPROCESSABLE_ENTITY


class BodyTooLarge(exceptions.APIException):
    """The request body is too large."""

    status_code = HTTPStatus.REQUEST_ENTITY_TOO_LARGE


@dataclass(frozen=True, slots=True)
class ApiResponse:
    """A response that can be stored and replayed."""

    status: int
    body: bytes
    content_type: str = "application/json"
    headers: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def with_json_body(cls, content: object, *, status: int = 200) -> "ApiResponse":
        """Serialize plain JSON values."""
        return cls(status, orjson.dumps(content))

    def to_http_response(self) -> HttpResponse:
        """The Django response."""
        return HttpResponse(
            self.body, status=self.status, content_type=self.content_type, headers=self.headers
        )


def exception_handler(error: Exception, _: Mapping[str, Any]) -> HttpResponse:
    """DRF exception handler: every error becomes a problem response without a stack trace."""
    return problem_response_for_exception(error).to_http_response()


def problem_response_for_exception(error: Exception) -> ApiResponse:
    """The problem response for an exception. Unexpected exceptions are logged."""
    if isinstance(error, exceptions.APIException):
        return _api_exception_response(error)
    for kind, status in STATUS_BY_EXCEPTION:
        if isinstance(error, kind):
            headers = {"Retry-After": RETRY_AFTER} if status == 503 else {}
            if status == 503:
                log.warning("api_unavailable", error=type(error).__name__)
            return _build_problem_response(
                status, DETAIL_BY_STATUS.get(status, ""), headers=headers
            )
    if isinstance(error, PayloadError):
        errors = [{"path": error.path, "detail": error.detail}]
        return _build_problem_response(400, f"body: {error.detail}", errors=errors)
    response = _build_problem_response(500, "")
    log.error(
        "api_failed", instance=read_instance_id_from_problem_response(response), exc_info=error
    )
    return response


STATUS_BY_EXCEPTION: Sequence[tuple[type[Exception], int]] = (
    (Http404, 404),
    (PermissionDenied, 403),
    (RequestDataTooBig, 413),
    (SuspiciousOperation, 400),
    (BadRequest, 400),
    (UnreadablePostError, 400),
    (OperationalError, 503),
    (InterfaceError, 503),
)
DETAIL_BY_STATUS = {
    400: "The request cannot be read.",
    403: "You do not have permission to do this.",
    404: "Not found.",
    503: "Temporarily unavailable. Try again in a few seconds.",
}


def _api_exception_response(error: exceptions.APIException) -> ApiResponse:
    headers = {}
    if challenge := getattr(error, "auth_header", ""):
        headers["WWW-Authenticate"] = challenge
    if wait := getattr(error, "wait", None):
        headers["Retry-After"] = str(wait)
    errors = getattr(error, "errors", None)
    if isinstance(error, exceptions.ValidationError):
        errors = list(_flatten_errors(error.detail, ""))
        first = errors[0]
        detail = f"{first['path']}: {first['detail']}" if first["path"] else first["detail"]
        return _build_problem_response(400, detail, errors=errors, headers=headers)
    detail = str(error.detail)
    if isinstance(error, exceptions.NotFound):
        detail = DETAIL_BY_STATUS[404]
    return _build_problem_response(error.status_code, detail, errors=errors, headers=headers)


def _flatten_errors(detail: Any, path: str) -> list[dict[str, str]]:
    """Flatten nested validation errors to paths and messages."""
    if isinstance(detail, Mapping):
        return [
            error
            for key, value in detail.items()
            for error in _flatten_errors(value, f"{path}.{key}" if path else str(key))
        ]
    if isinstance(detail, Sequence) and not isinstance(detail, str):
        return [error for value in detail for error in _flatten_errors(value, path)]
    return [{"path": path.removesuffix(".non_field_errors"), "detail": str(detail)}]


def _build_problem_response(
    status: int,
    detail: str,
    *,
    errors: Sequence[Mapping[str, str]] | None = None,
    headers: Mapping[str, str] | None = None,
) -> ApiResponse:
    extra = {"errors": list(errors)} if errors else {}
    body = problem_body(status, HTTPStatus(status).phrase, detail=detail[:1000], **extra)
    return ApiResponse(status, body, PROBLEM_TYPE, headers or {})


def read_instance_id_from_problem_response(response: ApiResponse) -> str:
    """The `instance` id of a problem response, for the log."""
    return str(orjson.loads(response.body)["instance"])
