"""Stored responses of API writes, so that a repeated request has no second effect."""

from typing import ClassVar

from django.conf import settings
from django.db import models


class IdempotencyKey(models.Model):
    """The response to a write request: a request with the same key gets the same response.

    Stored in the transaction of the write itself, so the row exists exactly if the write took
    effect.
    """

    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, db_index=False)
    key = models.CharField(max_length=200)
    # SHA-256 of method, path and body.
    fingerprint = models.CharField(max_length=64)
    status = models.SmallIntegerField()
    content_type = models.CharField(max_length=40)
    response_body = models.TextField()
    created_at = models.DateTimeField()

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["user", "key"], name="idempotency_key_unique")
        ]
        indexes: ClassVar = [
            models.Index(fields=["user", "created_at"], name="idempotency_key_age")
        ]
