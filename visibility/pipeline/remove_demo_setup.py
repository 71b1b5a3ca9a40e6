"""Remove what is left beside the messages of demo data: alerts, rules, sources, their settings."""

from collections.abc import Sequence
from datetime import datetime

from django.db.models import Q

from visibility.db.delete_with_dependents import delete_with_dependents
from visibility.models import (
    Alert,
    BackgroundExport,
    DemoData,
    IgnoredTerm,
    MasterChange,
    RejectedRequestCount,
    SlaRule,
    Source,
    Subscription,
    Team,
    TermMapping,
    WatchedVocabulary,
    WorkCalendar,
)
from visibility.pipeline.remove_alerts import remove_alerts
from visibility.sla.rule import RuleSubject

MAPPINGS = "mapping"


def remove_alerts_of_figures(since: datetime) -> None:
    """Remove alerts about KPIs and about alerts that opened while demo data was counted.

    Those whose condition still holds open again.
    """
    subjects = (RuleSubject.KPI.value, RuleSubject.ALERT.value)
    remove_alerts(Alert.objects.filter(subject_kind__in=subjects, opened_at__gte=since))


def remove_rules_calendars_and_teams(row: DemoData) -> None:
    """Remove what the loading created; what people have made their own since stays.

    A rule is theirs if they changed which orders it is about. A calendar or a team is theirs if
    another rule uses it, and a team also if it has members.
    """
    rules = [
        rule
        for rule in SlaRule.objects.filter(pk__in=row.rule_ids)
        if str(rule.scope.get("channel", "")).startswith("Demo ")
    ]
    ids, codes = {rule.pk for rule in rules}, {rule.code for rule in rules}
    remove_alerts(Alert.objects.filter(rule__in=ids))
    for subscription in Subscription.objects.filter(rules__has_any_keys=sorted(codes)):
        subscription.rules = [code for code in subscription.rules if code not in codes]
        if subscription.rules:
            subscription.save(update_fields=["rules"])
        else:
            delete_with_dependents(Subscription, [subscription.pk])
    delete_with_dependents(SlaRule, ids)
    used = SlaRule.objects.values("calendar")
    calendars = WorkCalendar.objects.filter(pk__in=row.calendar_ids).exclude(pk__in=used)
    delete_with_dependents(WorkCalendar, calendars.values_list("pk", flat=True))
    owned = SlaRule.objects.filter(owner_team__isnull=False).values("owner_team")
    teams = (
        Team.objects.filter(pk__in=row.team_ids, members__isnull=True)
        .exclude(pk__in=owned)
        .exclude(pk__in=Alert.objects.filter(owner_team__isnull=False).values("owner_team"))
        .exclude(pk__in=Subscription.objects.filter(team__isnull=False).values("team"))
    )
    delete_with_dependents(Team, teams.values_list("pk", flat=True))


def remove_what_names_sources(sources: Sequence[int]) -> None:
    """Remove mappings, ignored terms and counts of the sources, which contain their slugs."""
    slugs = list(Source.objects.filter(pk__in=sources).values_list("slug", flat=True))
    mappings = set(TermMapping.objects.filter(source__in=slugs).values_list("pk", flat=True))
    MasterChange.objects.filter(
        Q(table=MAPPINGS, row__in=mappings)
        | Q(table=MAPPINGS, before__source__in=slugs)
        | Q(table=MAPPINGS, after__source__in=slugs)
    ).delete()
    for model in (TermMapping, IgnoredTerm, WatchedVocabulary):
        model._base_manager.filter(source__in=slugs).delete()
    RejectedRequestCount.objects.filter(slug__in=slugs).delete()


def remove_exports(since: datetime) -> None:
    """Remove the files that people exported since: they may contain demo orders."""
    BackgroundExport.objects.filter(requested_at__gte=since).delete()


def remove_sources(sources: Sequence[int]) -> None:
    """Remove the sources, their alerts, and all else that refers to them."""
    remove_alerts(Alert.objects.filter(source__in=sources))
    delete_with_dependents(Source, sources)
