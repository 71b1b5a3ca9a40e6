"""Teams: create them, and change their members and the default owner of their new alerts."""

from collections.abc import Sequence

from django.contrib.auth.models import User
from django.db import transaction

from connectors.sdk.settings import SettingError
from visibility.models import Team, find_or_create_team
from visibility.models.audit import append_audit_entry
from visibility.models.teams import MAX_TITLE_LENGTH
from visibility.web.author import Author

PAGE_SIZE = 50
MAX_MEMBERS = 500


class InvalidTeam(ValueError):
    """A team cannot be saved like this; each error has the name of its field."""

    def __init__(self, errors: Sequence[SettingError]) -> None:
        super().__init__(" ".join(error.sentence for error in errors))
        self.errors = tuple(errors)


def list_teams(*, after: str = "", limit: int) -> list[Team]:
    """The teams after this title, by title, with their members."""
    rows = Team.objects.filter(title__gt=after).select_related("default_owner")
    return list(rows.prefetch_related("members").order_by("title")[:limit])


def create_team(title: str, *, by: Author) -> Team:
    """Create a team without members. Raises InvalidTeam."""
    title = title.strip()
    if not title or len(title) > MAX_TITLE_LENGTH or not title.isprintable():
        sentence = f"Enter a name of at most {MAX_TITLE_LENGTH} characters."
        raise InvalidTeam([SettingError("title", sentence)])
    with transaction.atomic():
        if Team.objects.filter(title__iexact=title).exists():
            raise InvalidTeam([SettingError("title", "There is a team with this name already.")])
        team = find_or_create_team(title)
        assert team is not None
        append_audit_entry(
            "team.created", user=by.user, object=team.title, detail={"slug": team.slug}, now=by.now
        )
    return team


def change_team(
    slug: str,
    *,
    by: Author,
    members: Sequence[int] | None = None,
    default_owner: int | None = None,
    owner_stays: bool = False,
) -> Team | None:
    """Replace the members, unless None, and the default owner, who must be an active member.

    Returns None if there is no such team. Raises InvalidTeam.
    """
    with transaction.atomic():
        team = Team.objects.select_for_update(of=("self",)).filter(slug=slug).first()
        if team is None:
            return None
        before = _describe(team)
        if members is not None:
            people = list(User.objects.filter(pk__in=list(members)))
            if len(people) != len(set(members)) or len(people) > MAX_MEMBERS:
                raise InvalidTeam([SettingError("members", "Choose people from the list.")])
            team.members.set(people)
        if owner_stays:
            default_owner = team.default_owner_id
        owner = None
        if default_owner is not None:
            owner = team.members.filter(pk=default_owner, is_active=True).first()
            if owner is None:
                sentence = "The default owner must be an active member of the team."
                raise InvalidTeam([SettingError("default_owner", sentence)])
        team.default_owner = owner
        team.save(update_fields=["default_owner"])
        after = _describe(team)
        if after != before:
            append_audit_entry(
                "team.changed",
                user=by.user,
                object=team.title,
                detail={"before": before, "after": after},
                now=by.now,
            )
    return team


def _describe(team: Team) -> dict[str, object]:
    return {
        "members": sorted(team.members.values_list("username", flat=True)),
        "default_owner": team.default_owner.get_username() if team.default_owner else None,
    }
