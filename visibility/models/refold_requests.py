"""The queue of orders to refold."""

from typing import ClassVar

from django.db import models
from django.db.models.functions import Now

from visibility.models.objects_and_identifiers import BusinessObject


class RefoldRequest(models.Model):
    """A request to refold the orders that an object belongs to, once `due_at` has passed."""

    object = models.ForeignKey(BusinessObject, on_delete=models.PROTECT, db_index=False)
    due_at = models.DateTimeField(db_default=Now())

    class Meta:
        indexes: ClassVar = [
            models.Index(fields=["due_at", "id"], name="refold_request_due"),
            models.Index(fields=["object", "due_at"], name="refold_request_object"),
        ]
