"""The organization that uses this installation, and the link with which it is set up."""

from enum import StrEnum
from typing import ClassVar

from django.db import models

MAX_NAME_LENGTH = 120


class WeekStart(StrEnum):
    """The first day of a week on KPI pages."""

    MONDAY = "monday"
    SUNDAY = "sunday"
    SATURDAY = "saturday"


class Organization(models.Model):
    """What holds for everybody in the organization, in at most one row.

    Read it with `visibility/storage/organization.py`. A trigger renews the configuration version.
    """

    name = models.CharField(max_length=MAX_NAME_LENGTH)
    time_zone = models.CharField(max_length=60)
    currency = models.CharField(max_length=3)
    week_start = models.CharField(max_length=10)
    # The month in which the fiscal year starts, from 1.
    fiscal_year_start = models.SmallIntegerField()
    # The calendar with the working hours and holidays of the organization.
    calendar = models.ForeignKey(
        "visibility.WorkCalendar", on_delete=models.SET_NULL, null=True, related_name="+"
    )
    # An administrator closed the set-up checklist.
    is_checklist_closed = models.BooleanField(default=False)
    version = models.IntegerField(default=1)

    class Meta:
        constraints: ClassVar = [
            models.CheckConstraint(condition=models.Q(id=1), name="organization_one_row"),
            models.CheckConstraint(
                condition=models.Q(fiscal_year_start__gte=1, fiscal_year_start__lte=12),
                name="organization_fiscal_year_start",
            ),
        ]

    def __str__(self) -> str:
        return self.name


class SetupLink(models.Model):
    """The link that creates the first administrator, in at most one row.

    The address contains `name` and a keyed hash of it, which is not stored.
    """

    name = models.CharField(max_length=32)
    created_at = models.DateTimeField()

    class Meta:
        constraints: ClassVar = [
            models.CheckConstraint(condition=models.Q(id=1), name="setup_link_one_row")
        ]

    def __str__(self) -> str:
        return f"set-up link of {self.created_at}"
