"""What is on a board, the numbered changes pages follow, and the audit."""

from typing import ClassVar

from django.conf import settings
from django.db import models
from django.db.models.functions import Now


class Board(models.Model):
    """Tiles from the shelf, in order: [{"tile": code, "width": 1..4}]."""

    slug = models.SlugField(unique=True)
    title = models.CharField(max_length=120)
    tiles = models.JSONField(default=list)

    def __str__(self) -> str:
        return self.title


class ChangeHead(models.Model):
    """The newest change number: one row, taken last in a transaction, so no number is missing."""

    number = models.BigIntegerField(default=0)


class Change(models.Model):
    """Something that open pages may show has changed."""

    number = models.BigIntegerField(primary_key=True)
    at = models.DateTimeField(db_default=Now())
    kind = models.CharField(max_length=20)
    ids = models.JSONField(default=list)


class AuditEntry(models.Model):
    """Who did what, chained by hash; triggers refuse to change or delete a row."""

    at = models.DateTimeField()
    who = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True)
    what = models.CharField(max_length=60)
    object = models.CharField(max_length=200, default="")
    detail = models.JSONField(default=dict)
    previous = models.CharField(max_length=64)
    digest = models.CharField(max_length=64, unique=True)

    class Meta:
        indexes: ClassVar = [models.Index(fields=["-at"], name="audit_at")]
