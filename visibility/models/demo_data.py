"""The demo data that an administrator loaded into this installation, in at most one row."""

from typing import ClassVar

from django.contrib.postgres.fields import ArrayField
from django.db import models


class DemoDataState(models.TextChoices):
    """What happens to the demo data. Without a row there is none."""

    LOADING = "loading"
    LOADED = "loaded"
    REMOVING = "removing"


class DemoData(models.Model):
    """Where the loading or the removal is, and what was created beside the sources.

    The sources have `Source.is_demo`; all other rows follow from them, or from the lists here.
    """

    state = models.CharField(max_length=10)
    # The demo ends at this time: the same time gives the same messages after a restart.
    ends_at = models.DateTimeField()
    # The slugs of its sources and the codes of its rules start with it.
    prefix = models.CharField(max_length=20)
    sent = models.IntegerField(default=0)
    total = models.IntegerField(null=True)
    rule_ids = ArrayField(models.BigIntegerField(), default=list)
    calendar_ids = ArrayField(models.BigIntegerField(), default=list)
    team_ids = ArrayField(models.BigIntegerField(), default=list)
    # The removal begins after requests that the sources accepted before are stored.
    removal_starts_at = models.DateTimeField(null=True)
    # Messages, objects and events that are removed, and all that were there at first.
    removed = models.IntegerField(default=0)
    to_remove = models.IntegerField(default=0)
    # Why the latest attempt to go on failed; the next one follows by itself.
    error = models.CharField(max_length=300, default="")

    class Meta:
        constraints: ClassVar = [
            models.CheckConstraint(condition=models.Q(id=1), name="demo_data_one_row")
        ]

    def __str__(self) -> str:
        return f"demo data ({self.state})"
