"""Large exports of lists: requested, written by a worker, and stored for some days."""

from typing import ClassVar

from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q


class BackgroundExportState(models.TextChoices):
    """`failed`: `detail` says why."""

    WAITING = "waiting"
    RUNNING = "running"
    READY = "ready"
    FAILED = "failed"


EXPORT_IN_PROGRESS = (BackgroundExportState.WAITING, BackgroundExportState.RUNNING)


class BackgroundExport(models.Model):
    """One CSV export of a list. Its owner alone sees it.

    `query`: filters and order of the list. `permissions`: those of the owner when they asked; the
    file has no more. `attempt` fences: a worker stores a file only if it made the latest attempt.
    """

    list = models.CharField(max_length=40)
    query = models.TextField()
    columns = ArrayField(models.CharField(max_length=40))
    owner = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, db_index=False, related_name="+"
    )
    permissions = ArrayField(models.CharField(max_length=40))
    sources_only = models.BooleanField(default=False)
    state = models.CharField(max_length=10, choices=BackgroundExportState.choices)
    detail = models.CharField(max_length=500, default="")
    attempt = models.IntegerField(default=0)
    requested_at = models.DateTimeField()
    started_at = models.DateTimeField(null=True)
    finished_at = models.DateTimeField(null=True)
    expires_at = models.DateTimeField(null=True)
    rows_written = models.BigIntegerField(default=0)
    rows_total = models.BigIntegerField(null=True)
    size = models.BigIntegerField(default=0)

    class Meta:
        indexes: ClassVar = [
            models.Index(fields=["owner", "-id"], name="background_export_owner"),
            models.Index(
                fields=["id"],
                condition=Q(state__in=EXPORT_IN_PROGRESS),
                name="background_export_progress",
            ),
        ]


class BackgroundExportChunk(models.Model):
    """A chunk of the file's bytes."""

    export = models.ForeignKey(BackgroundExport, on_delete=models.CASCADE, db_index=False)
    number = models.IntegerField()
    data = models.BinaryField()

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["export", "number"], name="background_export_chunk")
        ]
