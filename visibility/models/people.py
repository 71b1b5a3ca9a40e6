"""What people's programs asked for, so that asking twice is asking once."""

from typing import ClassVar

from django.conf import settings
from django.db import models


class IdempotencyKey(models.Model):
    """A write of the API that was answered: the same key again gets the same answer.

    Written in the transaction of the write itself, so it is there exactly if the write is.
    """

    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, db_index=False)
    key = models.CharField(max_length=200)
    # SHA-256 of method, path and body.
    fingerprint = models.CharField(max_length=64)
    status = models.SmallIntegerField()
    media = models.CharField(max_length=40)
    answer = models.TextField()
    created_at = models.DateTimeField()

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["user", "key"], name="idempotency_key_once")
        ]
        indexes: ClassVar = [
            models.Index(fields=["user", "created_at"], name="idempotency_key_age")
        ]
