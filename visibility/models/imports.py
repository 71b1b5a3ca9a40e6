"""Files of master data: kept first, then read, judged and written in the background."""

from typing import ClassVar

from django.conf import settings
from django.db import models
from django.db.models import Q


class ImportState(models.TextChoices):
    """`judged` waits for somebody's yes; `refused` has rows that can't be taken."""

    WAITING = "waiting"
    READING = "reading"
    JUDGED = "judged"
    WRITING = "writing"
    DONE = "done"
    REFUSED = "refused"
    DISCARDED = "discarded"


MOVING = (ImportState.WAITING, ImportState.READING, ImportState.WRITING)


class MasterImport(models.Model):
    """One file. `apply`: write it if every row can be taken; otherwise it waits for a yes."""

    table = models.CharField(max_length=10)
    name = models.CharField(max_length=200)
    format = models.CharField(max_length=4)
    size = models.BigIntegerField()
    apply = models.BooleanField(default=False)
    state = models.CharField(max_length=10, choices=ImportState.choices)
    # Why the file as a whole can't be read.
    detail = models.CharField(max_length=500, default="")
    attempts = models.IntegerField(default=0)
    done = models.IntegerField(default=0)
    total = models.IntegerField(null=True)
    added = models.IntegerField(default=0)
    changed = models.IntegerField(default=0)
    unchanged = models.IntegerField(default=0)
    invalid = models.IntegerField(default=0)
    created_at = models.DateTimeField()
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, related_name="+"
    )
    finished_at = models.DateTimeField(null=True)

    class Meta:
        indexes: ClassVar = [
            models.Index(fields=["id"], condition=Q(state__in=MOVING), name="import_moving")
        ]


class ImportPart(models.Model):
    """A piece of the file's bytes, until it is settled."""

    of = models.ForeignKey(MasterImport, on_delete=models.CASCADE, db_index=False)
    number = models.IntegerField()
    data = models.BinaryField()

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["of", "number"], name="import_part_once")
        ]


class ImportRow(models.Model):
    """A row of the file: its values, or the reason why it can't be taken."""

    of = models.ForeignKey(MasterImport, on_delete=models.CASCADE, db_index=False)
    number = models.IntegerField()
    key = models.CharField(max_length=1_600)
    values = models.JSONField(default=dict)
    verdict = models.CharField(max_length=10, default="")
    reason = models.CharField(max_length=500, default="")

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["of", "number"], name="import_row_once")
        ]
        indexes: ClassVar = [
            models.Index(fields=["of", "key"], name="import_row_key"),
            models.Index(fields=["of"], condition=Q(verdict="invalid"), name="import_row_invalid"),
        ]
