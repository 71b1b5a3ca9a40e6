"""The numbered changes that open pages follow."""

from django.db import models
from django.db.models.functions import Now


class ChangeHead(models.Model):
    """The newest change number: one row, locked last in a transaction, so numbers have no gaps."""

    number = models.BigIntegerField(default=0)


class Change(models.Model):
    """A change of something that open pages may show."""

    number = models.BigIntegerField(primary_key=True)
    at = models.DateTimeField(db_default=Now())
    kind = models.CharField(max_length=20)
    ids = models.JSONField(default=list)


class ConfigurationVersion(models.Model):
    """One row: renewed by triggers whenever a source, rule, calendar or watched term changes."""

    version = models.UUIDField()
