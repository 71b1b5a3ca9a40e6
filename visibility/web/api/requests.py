"""The body of a write: strict JSON, and no field that the call does not know."""

from collections.abc import Mapping
from datetime import datetime
from http import HTTPStatus
from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers
from rest_framework.request import Request

from connectors.sdk.payload import load_json
from visibility.web.api.problems import Invalid, TooLarge
from visibility.web.api.query_params import Wrong, moment, text_of

LARGEST = 65_536
NOTE = 4_000
MOST_IDS = 200
BIGGEST_ID = 2**63 - 1


class UnsupportedMedia(Invalid):
    """Only JSON is read."""

    status_code = HTTPStatus.UNSUPPORTED_MEDIA_TYPE


class Body(serializers.Serializer[Any]):
    """The fields of a body; any other is refused by name."""

    def to_internal_value(self, data: Any) -> Any:
        """As the fields read it, once all are known."""
        if isinstance(data, Mapping):
            unknown = [text_of(str(name)) for name in data if name not in self.fields]
            if unknown:
                known = ", ".join(self.fields) or "none"
                raise serializers.ValidationError({unknown[0]: f"no such field; known: {known}"})
        return super().to_internal_value(data)


class NoteBody(Body):
    """A word about it."""

    note = serializers.CharField(max_length=NOTE, required=False, allow_blank=True, default="")


class ReasonBody(Body):
    """Words that must not be missing."""

    note = serializers.CharField(max_length=NOTE)


@extend_schema_field({"oneOf": [{"type": "integer"}, {"const": "me"}]})
class Somebody(serializers.Field[Any, Any, Any, Any]):
    """A person's id, `me`, or null for nobody."""

    def to_internal_value(self, data: Any) -> int | str:
        """The id or the word."""
        if data == "me":
            return "me"
        try:
            number = int(data)
            if isinstance(data, str | bool) or number != data or not 0 < number <= BIGGEST_ID:
                raise ValueError
        except (TypeError, ValueError, ArithmeticError):
            raise serializers.ValidationError("a person's id, `me`, or null for nobody") from None
        return number


@extend_schema_field({"type": "string", "format": "date-time"})
class Instant(serializers.Field[Any, Any, Any, Any]):
    """RFC 3339 with an offset."""

    def to_internal_value(self, data: Any) -> datetime:
        """Aware, in UTC."""
        try:
            return moment(data if isinstance(data, str) else "")
        except Wrong as error:
            raise serializers.ValidationError(str(error)) from None


class AssignBody(NoteBody):
    """Whose it is from now on."""

    to = Somebody(allow_null=True)


class SnoozeBody(NoteBody):
    """Out of sight until then."""

    until = Instant()


ACTS = ("acknowledge", "assign", "snooze", "resolve", "note")


@extend_schema_field({"type": "string", "enum": list(ACTS)})
class Act(serializers.ChoiceField):
    """What people do with alerts."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(ACTS, **kwargs)


class BulkBody(NoteBody):
    """One act on many alerts. `to` is for `assign`, `until` for `snooze`."""

    ids = serializers.ListField(
        child=serializers.IntegerField(min_value=1, max_value=BIGGEST_ID),
        min_length=1,
        max_length=MOST_IDS,
    )
    act = Act()
    to = Somebody(allow_null=True, required=False)
    until = Instant(required=False)


class Nothing(Body):
    """An empty body, or `{}`."""


def raw(request: Request) -> bytes:
    """The bytes of the body. Read by ourselves: a chunked one has no length to go by."""
    length = request.headers.get("Content-Length", "0")
    if length.isdecimal() and int(length[:12]) > LARGEST:
        raise TooLarge(f"at most {LARGEST} bytes")
    media = request.headers.get("Content-Type", "").split(";")[0].strip().lower()
    if media and media != "application/json":
        raise UnsupportedMedia("Content-Type", "send application/json")
    body: bytes = request._request.body
    if len(body) > LARGEST:
        raise TooLarge(f"at most {LARGEST} bytes")
    return body


def read(kind: type[Body], body: bytes) -> dict[str, Any]:
    """The fields of a body. Raises what the handler tells the caller."""
    given = load_json(body).value if body.strip() else {}
    if not isinstance(given, dict):
        raise Invalid("", "the body is a JSON object")
    fields = kind(data=given)
    fields.is_valid(raise_exception=True)
    found: dict[str, Any] = fields.validated_data
    return found
