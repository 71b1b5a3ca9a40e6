"""Idempotency-Key: a write that is asked for again is answered again and not done again."""

import hashlib
import re
from collections.abc import Callable
from datetime import timedelta

from django.db import connection, transaction
from django.http import HttpResponse
from rest_framework.request import Request

from visibility.db.clock import database_now
from visibility.models.people import IdempotencyKey
from visibility.web.api.base import person
from visibility.web.api.problems import Answer, Conflict, Invalid, Unprocessable, answer_of

HEADER = "Idempotency-Key"
KEY = re.compile(r"[\x21-\x7e]{1,200}")
KEPT = timedelta(days=7)
LOCK = "SELECT pg_try_advisory_xact_lock(hashtextextended(%s, 4713))"


def once(request: Request, body: bytes, do: Callable[[], Answer]) -> HttpResponse:
    """Do it, or with a key seen before give the answer of the first time.

    The key is kept in the transaction of the write: a process killed between them leaves neither.
    A failure of ours (5xx) is not kept: the same key may try again.
    """
    key = request.headers.get(HEADER)
    if key is None:
        return do().response()
    if not KEY.fullmatch(key):
        raise Invalid(HEADER, "1 to 200 visible ASCII characters")
    method = str(request.method)
    told = hashlib.sha256(b"\0".join((method.encode(), request.path.encode(), body))).hexdigest()
    with transaction.atomic():
        _alone(person(request).pk, key)
        known = IdempotencyKey.objects.filter(user=person(request), key=key).first()
        if known:
            return _again(known, told)
        try:
            answer = do()
        except Exception as error:  # kept if it is the caller's, else everything is taken back
            answer = answer_of(error)
            if answer.status >= 500:
                raise
        now = database_now()
        IdempotencyKey.objects.filter(user=person(request), created_at__lt=now - KEPT).delete()
        IdempotencyKey.objects.create(
            user=person(request),
            key=key,
            fingerprint=told,
            status=answer.status,
            media=answer.media,
            answer=answer.body.decode(),
            created_at=now,
        )
    return answer.response()


def _alone(user_id: int, key: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(LOCK, [f"{user_id} {key}"])
        row = cursor.fetchone()
    if not row[0]:
        raise Conflict("A request with this Idempotency-Key is still running.")


def _again(known: IdempotencyKey, told: str) -> HttpResponse:
    if known.fingerprint != told:
        raise Unprocessable("This Idempotency-Key was used with another request.")
    headers = {"Idempotency-Replayed": "true"}
    return Answer(known.status, known.answer.encode(), known.media, headers).response()
