"""A person accepts the changes of the fields of a source's messages."""

from datetime import datetime

from django.contrib.auth.models import User
from django.db import transaction

from visibility.db.change_feed import append_changes
from visibility.models.audit import append_audit_entry
from visibility.models.source_records import SourceFieldChange
from visibility.models.sources_and_messages import Source


def accept_field_changes(source: Source, *, up_to: int, by: User, now: datetime) -> int:
    """Accept the open changes up to this id, which are those that the person saw.

    Return how many there were.
    """
    with transaction.atomic():
        pending = SourceFieldChange.objects.filter(
            source=source, accepted_at=None, pk__lte=min(up_to, 2**63 - 1)
        )
        paths = sorted(pending.values_list("path", flat=True))
        if paths:
            pending.update(accepted_at=now, accepted_by=by)
            detail = {"count": len(paths), "fields": paths[:20]}
            append_audit_entry(
                "source.fields_accepted", user=by, object=source.slug, detail=detail, now=now
            )
            append_changes({"source": [source.pk]})
    return len(paths)
