"""What each person has done of the tour of the demo."""

from typing import ClassVar

from django.conf import settings
from django.db import models
from django.db.models.functions import Now


class DemoTourEntry(models.Model):
    """A page of the tour that a user has opened, or `hidden`: the user has hidden the tour."""

    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, db_index=False)
    code = models.CharField(max_length=20)
    at = models.DateTimeField(db_default=Now())

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["user", "code"], name="demo_tour_entry_unique")
        ]
