"""The values of the forms of a team and of a person, by label, to compare two versions of them."""

from collections.abc import Collection, Mapping, Sequence

from django.contrib.auth.models import User

from visibility.db.data_scope import DIMENSIONS
from visibility.models import Team
from visibility.web.people.accounts import PersonValues
from visibility.web.people.people_list import Person
from visibility.web.people.scope_changes import new_scope
from visibility.web.permission_labels import ROLE_TITLES
from visibility.web.permissions import UserRole


def team_values_by_label(members: Collection[int], default_owner: int | None) -> dict[str, str]:
    """The members and the default owner as people read them."""
    people = User.objects.filter(pk__in=[*members, *([default_owner] if default_owner else [])])
    names = {user.pk: user.get_full_name() or user.get_username() for user in people}
    return {
        "Members": ", ".join(sorted(names[number] for number in members if number in names)),
        "Default owner": names.get(default_owner or 0, ""),
    }


def team_version_values(team: Team) -> dict[str, str]:
    """What another version of the team differs in. No statement if the members are loaded."""
    members = sorted(user.pk for user in team.members.all())
    return {"members": str(members), "default owner": str(team.default_owner_id)}


def stored_team_values(team: Team) -> dict[str, str]:
    return team_values_by_label(
        list(team.members.values_list("pk", flat=True)), team.default_owner_id
    )


def stored_person_values(person: Person) -> dict[str, str]:
    user = person.user
    texts = (user.first_name, user.last_name, user.email)
    scope = {name: getattr(person, name) for name in DIMENSIONS}
    return _person_values(texts, person.role_titles, person.team_slugs, scope)


def entered_person_values(entered: PersonValues, stored: Person) -> dict[str, str]:
    """The entered values; a role that was not sent is the stored one."""
    texts = (entered.first_name or "", entered.last_name or "", entered.email or "")
    role = entered.role
    title = ROLE_TITLES[UserRole(role)] if role in set(UserRole) else role or ""
    shown = stored.role_titles if role is None else title
    stored_scope = {name: getattr(stored, name) for name in DIMENSIONS}
    return _person_values(texts, shown, entered.teams or (), new_scope(entered.scope, stored_scope))


def _person_values(
    texts: tuple[str, str, str],
    role: str,
    team_slugs: Sequence[str],
    scope: Mapping[str, Sequence[str]],
) -> dict[str, str]:
    titles = Team.objects.filter(slug__in=list(team_slugs)).order_by("title")
    return {
        **dict(zip(("First name", "Last name", "Email address"), texts, strict=True)),
        "Role": role,
        "Teams": ", ".join(titles.values_list("title", flat=True)),
        **{name.capitalize(): ", ".join(scope[name]) for name in DIMENSIONS},
    }
