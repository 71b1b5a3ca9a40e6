"""What people choose: saved views, columns of lists, and the timelines of order pages."""

from typing import ClassVar

from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.db import models

from visibility.models.teams import Team

MAX_NAME_LENGTH = 80


class SavedView(models.Model):
    """The filters and the order of a list under a name, of one person or shared with a team."""

    owner = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE)
    # The code of the list.
    list = models.CharField(max_length=40)
    name = models.CharField(max_length=MAX_NAME_LENGTH)
    # A query string without its page.
    query = models.TextField()
    team = models.ForeignKey(Team, on_delete=models.PROTECT, null=True)
    created_at = models.DateTimeField()
    changed_at = models.DateTimeField()

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["owner", "list", "name"], name="saved_view_unique")
        ]

    def __str__(self) -> str:
        return self.name


class ListColumnChoice(models.Model):
    """The columns of a list that a person sees, in their order. Without a row: the default ones."""

    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, db_index=False)
    list = models.CharField(max_length=40)
    columns = ArrayField(models.CharField(max_length=40))

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["user", "list"], name="list_column_choice_unique")
        ]


class OrderLaneChoice(models.Model):
    """The order of the lanes on order pages that a person chose, and the lanes they hide.

    `oldest_first`: the order of the activity list.

    A lane is known by the slug of its source, that of the team by `@team`. Lanes that are in
    neither list follow the others.
    """

    user = models.OneToOneField(settings.AUTH_USER_MODEL, on_delete=models.CASCADE)
    lanes = ArrayField(models.CharField(max_length=60))
    hidden = ArrayField(models.CharField(max_length=60))
    oldest_first = models.BooleanField(default=False, db_default=False)
