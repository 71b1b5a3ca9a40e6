"""Request bodies: strict JSON, and unknown fields are rejected."""

from collections.abc import Mapping
from datetime import datetime
from http import HTTPStatus
from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers
from rest_framework.request import Request

from connectors.sdk.payload import load_json
from visibility.alerts.snooze_ends import SnoozeEnd
from visibility.web.alert_actions import ALERT_ACTIONS, MAX_NOTE
from visibility.web.api.problem_responses import BodyTooLarge, InvalidInput
from visibility.web.api.query_params import InvalidValue, parse_rfc3339_time, printable_excerpt

MAX_BODY = 65_536
MAX_IDS = 200
MAX_ID = 2**63 - 1


class UnsupportedMediaType(InvalidInput):
    """The media type is not supported."""

    status_code = HTTPStatus.UNSUPPORTED_MEDIA_TYPE


class RequestBody(serializers.Serializer[Any]):
    """Base of the request bodies. Unknown fields are rejected."""

    def to_internal_value(self, data: Any) -> Any:
        """Validate after rejecting unknown fields."""
        if isinstance(data, Mapping):
            unknown = [printable_excerpt(str(name)) for name in data if name not in self.fields]
            if unknown:
                known = ", ".join(self.fields) or "none"
                raise serializers.ValidationError(
                    {unknown[0]: f"unknown field; the fields are: {known}"}
                )
        return super().to_internal_value(data)


class OptionalNoteBody(RequestBody):
    """A body with an optional note."""

    note = serializers.CharField(max_length=MAX_NOTE, required=False, allow_blank=True, default="")


class RequiredNoteBody(RequestBody):
    """A body with a required note."""

    note = serializers.CharField(max_length=MAX_NOTE)


@extend_schema_field({"oneOf": [{"type": "integer"}, {"const": "me"}]})
class UserIdOrMeField(serializers.Field[Any, Any, Any, Any]):
    """A user id, `me`, or null to unassign."""

    def to_internal_value(self, data: Any) -> int | str:
        """The user id or `me`."""
        if data == "me":
            return "me"
        try:
            number = int(data)
            if isinstance(data, str | bool) or number != data or not 0 < number <= MAX_ID:
                raise ValueError
        except (TypeError, ValueError, ArithmeticError):
            raise serializers.ValidationError(
                "must be a user id, `me`, or null to unassign"
            ) from None
        return number


@extend_schema_field({"type": "string", "format": "date-time"})
class Rfc3339InputField(serializers.Field[Any, Any, Any, Any]):
    """An RFC 3339 time with an offset."""

    def to_internal_value(self, data: Any) -> datetime:
        """The time in UTC."""
        try:
            return parse_rfc3339_time(data if isinstance(data, str) else "")
        except InvalidValue as error:
            raise serializers.ValidationError(str(error)) from None


@extend_schema_field(
    {
        "oneOf": [
            {"type": "string", "format": "date-time"},
            {"type": "string", "enum": [end.value for end in SnoozeEnd]},
        ]
    }
)
class SnoozeUntilField(Rfc3339InputField):
    """An RFC 3339 time, or what else ends the snooze."""

    def to_internal_value(self, data: Any) -> datetime | SnoozeEnd:  # type: ignore[override]  # wider
        """The time in UTC, or the end."""
        if isinstance(data, str) and data in set(SnoozeEnd):
            return SnoozeEnd(data)
        return super().to_internal_value(data)


class AssignBody(OptionalNoteBody):
    """The new owner of the alert."""

    to = UserIdOrMeField(allow_null=True)


class SnoozeBody(OptionalNoteBody):
    """The end of the snooze.

    A time, or the next event of the order, its next cut-off, or the next start of working hours.
    """

    until = SnoozeUntilField()


@extend_schema_field({"type": "string", "enum": sorted(ALERT_ACTIONS)})
class AlertActionField(serializers.ChoiceField):
    """An alert action."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(sorted(ALERT_ACTIONS), **kwargs)


class BulkActionBody(OptionalNoteBody):
    """One action on many alerts. `to` is for `assign`, `until` is for `snooze`."""

    ids = serializers.ListField(
        child=serializers.IntegerField(min_value=1, max_value=MAX_ID),
        min_length=1,
        max_length=MAX_IDS,
    )
    action = AlertActionField()
    to = UserIdOrMeField(allow_null=True, required=False)
    until = SnoozeUntilField(required=False)


class EmptyBody(RequestBody):
    """An empty body, or `{}`."""


def read_body(request: Request, *, limit: int = MAX_BODY) -> bytes:
    """The bytes of the body, up to the limit. A chunked body has no Content-Length to check."""
    length = request.headers.get("Content-Length", "0")
    if length.isdecimal() and int(length[:12]) > limit:
        raise BodyTooLarge(f"The body must be at most {limit:,} bytes.")
    media = request.headers.get("Content-Type", "").split(";")[0].strip().lower()
    if media and media != "application/json":
        raise UnsupportedMediaType("Content-Type", "must be application/json")
    body: bytes = request._request.body
    if len(body) > limit:
        raise BodyTooLarge(f"The body must be at most {limit:,} bytes.")
    return body


def parse_body(body_type: type[RequestBody], body: bytes) -> dict[str, Any]:
    """Parse and validate a body. Raises PayloadError, InvalidInput, ValidationError."""
    content = load_json(body).value if body.strip() else {}
    if not isinstance(content, dict):
        raise InvalidInput("", "The body must be a JSON object.")
    fields = body_type(data=content)
    fields.is_valid(raise_exception=True)
    values: dict[str, Any] = fields.validated_data
    return values
