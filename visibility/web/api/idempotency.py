"""Support for the Idempotency-Key header: a repeated write returns the first response."""

import hashlib
import re
from collections.abc import Callable
from datetime import timedelta

from django.db import connection, transaction
from django.http import HttpResponse
from rest_framework.request import Request

from visibility.db.database_time import database_now
from visibility.db.lock_keys import LockKey
from visibility.models.idempotency import IdempotencyKey
from visibility.web.api.base import current_user
from visibility.web.api.problem_responses import (
    ApiResponse,
    ConflictError,
    InvalidInput,
    UnprocessableError,
    problem_response_for_exception,
)

HEADER = "Idempotency-Key"
KEY_PATTERN = re.compile(r"[\x21-\x7e]{1,200}")
RETENTION = timedelta(days=7)
TRY_LOCK = "SELECT pg_try_advisory_xact_lock(hashtextextended(%s, %s))"


def run_idempotently(
    request: Request, body: bytes, handler: Callable[[], ApiResponse]
) -> HttpResponse:
    """Run `handler`, or replay the stored response if this key was used before.

    The key is stored in the same transaction as the write, so a crash leaves neither.
    Server errors (5xx) are not stored: the client can retry with the same key.
    """
    key = request.headers.get(HEADER)
    if key is None:
        return handler().to_http_response()
    if not KEY_PATTERN.fullmatch(key):
        raise InvalidInput(HEADER, "must be 1 to 200 visible ASCII characters")
    method = str(request.method)
    fingerprint = hashlib.sha256(
        b"\0".join((method.encode(), request.path.encode(), body))
    ).hexdigest()
    with transaction.atomic():
        _lock_idempotency_key_or_conflict(current_user(request).pk, key)
        stored = IdempotencyKey.objects.filter(user=current_user(request), key=key).first()
        if stored:
            return _replay_stored_response(stored, fingerprint)
        try:
            response = handler()
        except Exception as error:  # 4xx responses are stored; 5xx roll back
            response = problem_response_for_exception(error)
            if response.status >= 500:
                raise
        now = database_now()
        IdempotencyKey.objects.filter(
            user=current_user(request), created_at__lt=now - RETENTION
        ).delete()
        IdempotencyKey.objects.create(
            user=current_user(request),
            key=key,
            fingerprint=fingerprint,
            status=response.status,
            content_type=response.content_type,
            response_body=response.body.decode(),
            created_at=now,
        )
    return response.to_http_response()


def _lock_idempotency_key_or_conflict(user_id: int, key: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(TRY_LOCK, [f"{user_id} {key}", LockKey.IDEMPOTENCY_KEY])
        row = cursor.fetchone()
    if not row[0]:
        raise ConflictError("A request with this Idempotency-Key is still running.")


def _replay_stored_response(stored: IdempotencyKey, fingerprint: str) -> HttpResponse:
    if stored.fingerprint != fingerprint:
        raise UnprocessableError("This Idempotency-Key was already used with a different request.")
    headers = {"Idempotency-Replayed": "true"}
    return ApiResponse(
        stored.status, stored.response_body.encode(), stored.content_type, headers
    ).to_http_response()
