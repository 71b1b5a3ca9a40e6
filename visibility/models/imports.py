"""Master data files: stored first, then read, validated and written in the background."""

from typing import ClassVar

from django.conf import settings
from django.db import models
from django.db.models import Q


class ImportState(models.TextChoices):
    """`validated` waits for approval; `rejected` has invalid rows."""

    WAITING = "waiting"
    READING = "reading"
    VALIDATED = "validated"
    WRITING = "writing"
    DONE = "done"
    REJECTED = "rejected"
    DISCARDED = "discarded"


IN_PROGRESS = (ImportState.WAITING, ImportState.READING, ImportState.WRITING)


class MasterImport(models.Model):
    """One file. `auto_apply`: write it without approval if every row is valid."""

    table = models.CharField(max_length=10)
    name = models.CharField(max_length=200)
    format = models.CharField(max_length=4)
    size = models.BigIntegerField()
    auto_apply = models.BooleanField(default=False)
    state = models.CharField(max_length=10, choices=ImportState.choices)
    # Why the file as a whole cannot be read.
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
            models.Index(
                fields=["id"], condition=Q(state__in=IN_PROGRESS), name="import_in_progress"
            )
        ]


class ImportPart(models.Model):
    """A part of the file's bytes, stored until the import is finished or discarded."""

    master_import = models.ForeignKey(MasterImport, on_delete=models.CASCADE, db_index=False)
    number = models.IntegerField()
    data = models.BinaryField()

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["master_import", "number"], name="import_part_unique")
        ]


class ImportRow(models.Model):
    """A row of the file: its values, or the reason why it is invalid."""

    master_import = models.ForeignKey(MasterImport, on_delete=models.CASCADE, db_index=False)
    number = models.IntegerField()
    key = models.CharField(max_length=1_600)
    values = models.JSONField(default=dict)
    verdict = models.CharField(max_length=10, default="")
    reason = models.CharField(max_length=500, default="")

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["master_import", "number"], name="import_row_unique")
        ]
        indexes: ClassVar = [
            models.Index(fields=["master_import", "key"], name="import_row_key"),
            models.Index(
                fields=["master_import"], condition=Q(verdict="invalid"), name="import_row_invalid"
            ),
        ]
