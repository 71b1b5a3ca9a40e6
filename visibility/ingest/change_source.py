"""Change the title, the poll interval and the owner of a source, enable, disable or archive it."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.contrib.auth.models import User
from django.db import transaction
from django.db.models.functions import Now

from connectors.sdk.parse_setting_values import parse_integer
from connectors.sdk.settings import SettingError
from visibility.db.change_feed import append_changes
from visibility.ingest.add_source_and_rotate_secret import InvalidSource
from visibility.ingest.check_new_source import parse_source_title
from visibility.ingest.poll_results import MAX_INTERVAL, MIN_INTERVAL
from visibility.models.audit import append_audit_entry
from visibility.models.sources_and_messages import Source
from visibility.models.teams import Team

SECOND = timedelta(seconds=1)
TEAM, PERSON = "team:", "person:"
YES_OR_NO = {"yes": True, "no": False}


@dataclass(frozen=True, slots=True)
class SourceProperties:
    """What people enter about a source, besides the settings of its connector.

    `poll_seconds`: the time between two polls, from a second to 30 days. `owner`: `team:<title>`,
    `person:<username>`, or empty.
    """

    title: str
    poll_seconds: int
    enabled: bool
    owner: str = ""

    @classmethod
    def of_source(cls, source: Source) -> "SourceProperties":
        """The stored values."""
        return cls(
            source.title, source.poll_every // SECOND, source.enabled, _owner_of_source(source)
        )


def change_source(
    source: Source, changes: Mapping[str, str], *, now: datetime, user: User
) -> SourceProperties:
    """Change `title`, `poll_seconds`, `enabled` (yes or no) or `owner`, all or none; return all.

    Nothing is written if nothing changes. Raises InvalidSource.
    """
    with transaction.atomic():
        row = Source.objects.select_for_update(no_key=True).get(pk=source.pk)
        before = SourceProperties.of_source(row)
        after = _parse_properties(before, changes)
        if row.archived_at is not None and after.enabled:
            sentence = "It is archived. Restore it before you enable it."
            raise InvalidSource([SettingError("enabled", sentence)])
        if after == before:
            return after
        poll_every = timedelta(seconds=after.poll_seconds)
        Source.objects.filter(pk=row.pk).update(
            title=after.title,
            # An interval with fractions of a second stays as it is unless it is changed.
            poll_every=row.poll_every if after.poll_seconds == before.poll_seconds else poll_every,
            enabled=after.enabled,
            owner=after.owner.removeprefix(TEAM) if after.owner.startswith(TEAM) else "",
            owner_user=find_owner(after.owner) if after.owner.startswith(PERSON) else None,
            next_poll_at=_next_poll_at(row, before, after, now),
            changed_at=Now(),
        )
        names = [name for name in changes if getattr(before, name) != getattr(after, name)]
        append_audit_entry(
            "source.changed",
            user=user,
            object=row.slug,
            detail={
                "before": {name: getattr(before, name) for name in names},
                "after": {name: getattr(after, name) for name in names},
            },
            now=now,
        )
        append_changes({"source": [row.pk]})
    return after


def _next_poll_at(
    row: Source, before: SourceProperties, after: SourceProperties, now: datetime
) -> datetime | None:
    """Poll at once after the source is enabled, and no later than the new interval says."""
    if row.next_poll_at is None or (after.enabled and not before.enabled):
        return row.next_poll_at and now
    if row.throttled_until is not None:
        return row.next_poll_at
    return min(row.next_poll_at, now + timedelta(seconds=after.poll_seconds))


def _parse_properties(before: SourceProperties, changes: Mapping[str, str]) -> SourceProperties:
    errors: list[SettingError] = []
    title, seconds, enabled = before.title, before.poll_seconds, before.enabled
    owner = before.owner
    for name, text in changes.items():
        try:
            if name == "title":
                title = parse_source_title(text)
            elif name == "poll_seconds":
                seconds = _parse_poll_seconds(text)
            elif name == "enabled":
                enabled = _parse_yes_or_no(text)
            elif name == "owner":
                owner = _parse_owner(text)
            else:
                raise ValueError(
                    "This cannot be changed; enter title, poll_seconds, enabled or owner."
                )
        except ValueError as error:
            errors.append(SettingError(name, str(error)))
    if errors:
        raise InvalidSource(errors)
    return SourceProperties(title, seconds, enabled, owner)


def _parse_poll_seconds(text: str) -> int:
    seconds = parse_integer(text.strip())
    low, high = MIN_INTERVAL // SECOND, MAX_INTERVAL // SECOND
    if not low <= seconds <= high:
        raise ValueError(f"Enter a number of seconds from {low} to {high:,}.")
    return seconds


def _parse_yes_or_no(text: str) -> bool:
    if text not in YES_OR_NO:
        raise ValueError("Enter yes or no.")
    return YES_OR_NO[text]


def _owner_of_source(source: Source) -> str:
    if source.owner_user is not None:
        return PERSON + source.owner_user.get_username()
    return TEAM + source.owner if source.owner else ""


def _parse_owner(text: str) -> str:
    chosen = text.strip()
    if chosen and find_owner(chosen) is None:
        raise ValueError(f"Choose a team ({TEAM}title) or an active person ({PERSON}username).")
    return chosen


def find_owner(text: str) -> Team | User | None:
    """Return the team or the active person that an owner names, or None."""
    if "\0" in text:
        return None
    if text.startswith(TEAM):
        return Team.objects.filter(title=text.removeprefix(TEAM)).first()
    if text.startswith(PERSON):
        name = text.removeprefix(PERSON)
        return User.objects.filter(username=name, is_active=True).first()
    return None


def owner_choices() -> list[tuple[str, str]]:
    """Return the possible owners with their labels: the teams, then the active people."""
    teams = Team.objects.order_by("title").values_list("title", flat=True)[:500]
    people = User.objects.filter(is_active=True).order_by("username")[:500]
    return [
        *((TEAM + title, f"{title} (team)") for title in teams),
        *((PERSON + p.get_username(), p.get_full_name() or p.get_username()) for p in people),
    ]


def archive_source(source: Source, *, now: datetime, user: User | None) -> bool:
    """Stop intake and hide the source from lists; its history stays. False if it is archived."""
    return _set_archived(source, now, "source.archived", now=now, user=user)


def restore_source(source: Source, *, now: datetime, user: User | None) -> bool:
    """List an archived source again; it stays disabled. False if it is not archived."""
    return _set_archived(source, None, "source.restored", now=now, user=user)


def _set_archived(
    source: Source, at: datetime | None, action: str, *, now: datetime, user: User | None
) -> bool:
    with transaction.atomic():
        changed = Source.objects.filter(pk=source.pk, archived_at__isnull=at is not None).update(
            archived_at=at, enabled=False, changed_at=Now()
        )
        if changed:
            append_audit_entry(action, user=user, object=source.slug, detail={}, now=now)
            append_changes({"source": [source.pk]})
    return bool(changed)
