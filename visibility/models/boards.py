"""Dashboards and their tiles."""

from django.db import models


class Board(models.Model):
    """Tiles from the shelf, in order: [{"tile": code, "width": 1..4, and settings of the tile}]."""

    slug = models.SlugField(unique=True)
    title = models.CharField(max_length=120)
    tiles = models.JSONField(default=list)

    def __str__(self) -> str:
        return self.title
