"""New alerts of a team belong to its default owner at first."""

from collections.abc import Iterable

from visibility.models import Alert, Team


def assign_default_owners(alerts: Iterable[Alert]) -> dict[int, str]:
    """Set the owners of alerts that are not stored yet; return a sentence for each, by `id()`.

    A deactivated default owner gets none. It is no action of a person, which KPIs count.
    """
    of_teams = [alert for alert in alerts if alert.owner_team_id is not None]
    if not of_teams:
        return {}
    teams = Team.objects.select_related("default_owner").filter(
        pk__in={alert.owner_team_id for alert in of_teams}, default_owner__is_active=True
    )
    by_id = {team.pk: team for team in teams}
    sentences = {}
    for alert in of_teams:
        team = by_id.get(alert.owner_team_id or 0)
        if team is not None and team.default_owner is not None:
            alert.owner = team.default_owner
            name = team.default_owner.get_username()
            sentences[id(alert)] = f" Assigned to {name}, the default owner of {team.title}."
    return sentences
