"""Replacements of SECRET_KEY, by `manage.py replace_secret_key`."""

from django.db import models
from django.db.models.functions import Now


class KeyReplacement(models.Model):
    """When everything stored began to use a key. `fingerprint` does not tell the key.

    Addresses of links that were created before `started_at` may have a seal of an older key.
    """

    fingerprint = models.CharField(max_length=16, unique=True)
    started_at = models.DateTimeField(db_default=Now())
    # When the command last found nothing more that it can renew.
    finished_at = models.DateTimeField(null=True)

    def __str__(self) -> str:
        return self.fingerprint
