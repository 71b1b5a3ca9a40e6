"""Tokens with which programs call the API in the name of a person."""

import hashlib
from datetime import datetime
from typing import ClassVar

from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.db import models

from connectors.sdk.event_codec import format_rfc3339
from visibility.db.derived_keys import KeyPurpose
from visibility.db.keyed_seal import is_valid_seal, seal_text

PURPOSE = KeyPurpose.API_TOKEN


class ApiToken(models.Model):
    """A token of the API. It grants `permissions`, and never more than its owner has.

    The token is `prefix` and a secret of 256 random bits, of which `secret_digest` is the SHA-256.
    `digest` is a keyed hash of that and of what the token grants: the row alone opens nothing, and
    a changed row neither. A token of an older release has no `secret_digest` until its next use,
    and its `digest` is made of the secret itself.
    """

    title = models.CharField(max_length=80)
    prefix = models.CharField(max_length=16, unique=True)
    digest = models.CharField(max_length=64)
    secret_digest = models.CharField(max_length=64, default="", db_default="")
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

    def seal(self, secret: str) -> None:
        """Set both digests."""
        self.secret_digest = _sha256(secret)
        self.digest = self.newest_digest()

    def newest_digest(self) -> str:
        """What `digest` is with SECRET_KEY; needs `secret_digest`."""
        return seal_text(self._sealed_text(self.secret_digest), purpose=PURPOSE)

    def is_sealed(self) -> bool:
        """Whether any secret key made `digest`; needs `secret_digest`."""
        return is_valid_seal(self.digest, self._sealed_text(self.secret_digest), purpose=PURPOSE)

    def has_secret(self, secret: str) -> bool:
        """Whether this is the secret of the token, and nobody changed the row."""
        text = self._sealed_text(_sha256(secret) if self.secret_digest else secret)
        is_known = self.secret_digest in {"", _sha256(secret)}
        return is_valid_seal(self.digest, text, purpose=PURPOSE) and is_known

    def _sealed_text(self, secret: str) -> str:
        values = (secret, self.prefix, str(self.owner_id), *self.permissions)
        times = (format_rfc3339(self.created_at), format_rfc3339(self.expires_at))
        return "\0".join((*values, *times))


def _sha256(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()
