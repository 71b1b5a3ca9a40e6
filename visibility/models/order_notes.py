"""Notes that people write on orders, whom they mention, and who watches an order."""

from typing import ClassVar

from django.conf import settings
from django.db import models
from django.db.models.functions import Now

from visibility.models.objects_and_identifiers import BusinessObject


class OrderNote(models.Model):
    """A note on an order. It stays with the object that it was written on when orders merge."""

    order = models.ForeignKey(
        BusinessObject, on_delete=models.PROTECT, related_name="notes", db_index=False
    )
    at = models.DateTimeField(db_default=Now())
    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT)
    text = models.TextField()

    class Meta:
        # The foreign key has no index of its own: this one serves it.
        indexes: ClassVar = [models.Index(fields=["order", "-at"], name="order_note_at")]


class OrderMention(models.Model):
    """A user whom a note mentions as `@username`."""

    note = models.ForeignKey(OrderNote, on_delete=models.CASCADE, related_name="mentions")
    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["user", "note"], name="order_mention_unique")
        ]


class OrderWatch(models.Model):
    """A user watches an order."""

    order = models.ForeignKey(
        BusinessObject, on_delete=models.PROTECT, related_name="watches", db_index=False
    )
    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT)
    since = models.DateTimeField(db_default=Now())

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["order", "user"], name="order_watch_unique")
        ]
