"""Dashboards and their tiles, the board that a user starts on, and links for wall screens."""

from datetime import datetime
from typing import ClassVar

from django.conf import settings
from django.db import models
from django.db.models import Q

from visibility.models.teams import Team


class BoardSharing(models.TextChoices):
    """Who sees a board."""

    OWN = "own", "Only me"
    TEAM = "team", "My team"
    ALL = "all", "Everyone"


class Board(models.Model):
    """Tiles from the shelf, in order: [{"tile": code, "width": 1..4, and settings of the tile}].

    `filters` limits it to orders: {"warehouse": ..., "channel": ..., "group": ...}. `version` grows
    with each change. Without an owner, `sharing` is "all".
    """

    slug = models.SlugField(unique=True)
    title = models.CharField(max_length=120)
    tiles = models.JSONField(default=list)
    filters = models.JSONField(default=dict, db_default=models.Value({}, models.JSONField()))
    owner = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, related_name="+"
    )
    sharing = models.CharField(
        max_length=4,
        choices=BoardSharing.choices,
        default=BoardSharing.ALL,
        db_default=BoardSharing.ALL.value,
    )
    team = models.ForeignKey(Team, on_delete=models.PROTECT, null=True)
    version = models.IntegerField(default=1, db_default=1)

    class Meta:
        constraints: ClassVar = [
            models.CheckConstraint(
                condition=Q(sharing="all") | Q(owner__isnull=False), name="board_shared_by_someone"
            ),
            models.CheckConstraint(
                condition=Q(team__isnull=False) | ~Q(sharing="team"), name="board_team_named"
            ),
        ]

    def __str__(self) -> str:
        return self.title


class StartBoard(models.Model):
    """The board that a user sees after signing in, instead of the page of the role."""

    user = models.OneToOneField(settings.AUTH_USER_MODEL, on_delete=models.CASCADE)
    slug = models.SlugField()


class ScreenLink(models.Model):
    """A link that shows boards on a wall screen without sign-in, until it expires or is revoked.

    It shows only boards that its creator sees, while the creator may create links. A board that
    is deleted or made private is taken out of `boards`.

    The address contains a seal of the row (`visibility/web/screen_links.py`), which is not stored.
    """

    title = models.CharField(max_length=120)
    # Slugs, in the order of the rotation.
    boards = models.JSONField()
    every = models.IntegerField()
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+"
    )
    created_at = models.DateTimeField()
    expires_at = models.DateTimeField()
    revoked_at = models.DateTimeField(null=True)
    last_used_at = models.DateTimeField(null=True)

    class Meta:
        indexes: ClassVar = [models.Index(fields=["-created_at"], name="screen_link_age")]

    def is_valid_at(self, now: datetime) -> bool:
        """Whether the link opens its boards."""
        return self.revoked_at is None and now < self.expires_at
