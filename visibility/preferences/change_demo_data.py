"""Request that demo data is loaded or removed. A worker does it."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from django.conf import settings
from django.contrib.auth.models import User
from django.db import transaction
from django.db.models import Q

from visibility.db.lock_keys import LockKey, lock_until_commit
from visibility.models.audit import append_audit_entry
from visibility.models.demo_data import DemoData, DemoDataState
from visibility.models.rules_clocks_and_calendars import SlaRule, WorkCalendar
from visibility.models.sources_and_messages import InboundMessage, MessageState, Source
from visibility.storage.demo_data import forget_demo_data

# A request that a source accepted before it was disabled is stored by then.
STORED_WITHIN = timedelta(seconds=10)


class DemoDataConflict(ValueError):
    """The state of the demo data does not allow the request; the message says why."""


@dataclass(frozen=True, slots=True)
class DemoDataProgress:
    """What happens to the demo data: `state` is empty without any.

    `done` of `total`: messages to load, or rows to remove; `total` is 0 until they are counted.
    """

    state: str
    done: int = 0
    total: int = 0
    messages: int = 0
    error: str = ""


def load_progress() -> DemoDataProgress:
    """The demo data as of now. Three statements at most."""
    row = DemoData.objects.first()
    if row is None:
        return DemoDataProgress("")
    if row.state == DemoDataState.REMOVING:
        return DemoDataProgress(row.state, row.removed, row.to_remove, error=row.error)
    messages = InboundMessage.objects.filter(source__in=Source.objects.filter(is_demo=True))
    stored = messages.count()
    if row.state == DemoDataState.LOADED:
        return DemoDataProgress(row.state, stored, stored, stored)
    read = messages.exclude(state=MessageState.WAITING).count()
    return DemoDataProgress(row.state, read, row.total or 0, stored, row.error)


def request_demo_data(*, by: User, now: datetime) -> None:
    """Request that demo data is loaded. Raises DemoDataConflict if there is some already."""
    if settings.DEMO:
        raise DemoDataConflict("This installation is a demo: it has nothing but demo data.")
    with transaction.atomic():
        row = _lock_demo_data()
        if row is not None:
            raise DemoDataConflict(
                {
                    DemoDataState.LOADING.value: "Demo data is being loaded already.",
                    DemoDataState.LOADED.value: "Demo data is loaded already.",
                }.get(row.state, "Demo data is being removed. Load it again when that is done.")
            )
        DemoData.objects.create(
            id=1, state=DemoDataState.LOADING, ends_at=now, prefix=_free_prefix()
        )
        append_audit_entry(
            "demo_data.load_requested", user=by, object="demo data", detail={}, now=now
        )
        _forget_before_and_after_commit()


def request_removal_of_demo_data(*, by: User, now: datetime) -> None:
    """Request that all demo data is removed, also while it is being loaded.

    Raises DemoDataConflict if there is none, or if it is being removed already.
    """
    with transaction.atomic():
        row = _lock_demo_data()
        if row is None:
            raise DemoDataConflict("No demo data is loaded.")
        if row.state == DemoDataState.REMOVING:
            raise DemoDataConflict("Demo data is being removed already.")
        was_enabled = Source.objects.filter(is_demo=True, enabled=True).update(
            enabled=False, changed_at=now
        )
        row.removal_starts_at = now + STORED_WITHIN if was_enabled else now
        row.state, row.error = DemoDataState.REMOVING, ""
        row.save()
        append_audit_entry(
            "demo_data.removal_requested", user=by, object="demo data", detail={}, now=now
        )
        _forget_before_and_after_commit()


def _lock_demo_data() -> DemoData | None:
    lock_until_commit(LockKey.DEMO_DATA)
    return DemoData.objects.select_for_update().first()


def _free_prefix() -> str:
    """`demo`, or `demo2` and so on if a source, rule or calendar has a name that starts so."""
    number = 1
    while True:
        prefix = f"demo{number if number > 1 else ''}"
        taken = Q(slug__startswith=f"{prefix}-")
        codes = Q(code__startswith=f"{prefix}-")
        if not (
            Source.objects.filter(taken).exists()
            or SlaRule.objects.filter(codes).exists()
            or WorkCalendar.objects.filter(codes).exists()
        ):
            return prefix
        number += 1


def _forget_before_and_after_commit() -> None:
    forget_demo_data()
    transaction.on_commit(forget_demo_data)
