"""Tokens with which programs call the API in the name of a person."""

from datetime import datetime
from typing import ClassVar

from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.db import models


class ApiToken(models.Model):
    """A token of the API. It grants `permissions`, and never more than its owner has.

    The token is `prefix` and a secret. `digest` is a keyed hash of the secret and of what the token
    grants (`visibility/web/api_tokens.py`): the row alone opens nothing, and a changed row neither.
    """

    title = models.CharField(max_length=80)
    prefix = models.CharField(max_length=16, unique=True)
    digest = models.CharField(max_length=64)
    owner = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    # Of a program that several people depend on: an administrator created it for its owner.
    is_service = models.BooleanField(default=False)
    permissions = ArrayField(models.CharField(max_length=40))
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+"
    )
    created_at = models.DateTimeField()
    expires_at = models.DateTimeField()
    last_used_at = models.DateTimeField(null=True)
    revoked_at = models.DateTimeField(null=True)

    class Meta:
        indexes: ClassVar = [models.Index(fields=["owner", "-id"], name="api_token_owner")]

    def __str__(self) -> str:
        return self.title

    def is_valid_at(self, now: datetime) -> bool:
        """Whether the token is accepted."""
        return self.revoked_at is None and now < self.expires_at
