"""Load the groups of a view of the inbox, with their numbers."""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from django.contrib.auth.models import User
from django.db.models import Count, Max, Min, Q, QuerySet, Sum

from visibility.formatting import count_with_noun, sales_channel_label
from visibility.models import Alert, AlertKind, Severity, SlaRule
from visibility.screens.alerts.choices_of_forms import user_display_name
from visibility.screens.alerts.grouping import (
    COLUMNS,
    AlertGrouping,
    GroupSort,
    Money,
    MoneySum,
    annotate_shared_value,
    group_key,
    grouping_of_key,
)
from visibility.screens.alerts.inbox import (
    RANK,
    RELATED_FIELDS,
    SEVERITY_RANK,
    InboxQuery,
    alerts_of_view,
)
from visibility.storage.organization import organization_currency, own_currency_first

PAGE_SIZE = 100
MAX_START = 10_000
SHOWN_OF_GROUP = 3
# So many alerts of a group are compared for what they have in common.
MAX_COMPARED = 1_000
HOURS_OF_ARRIVALS = 24
SEVERITIES = {rank: severity for severity, rank in SEVERITY_RANK.items()}
TITLE_COLUMNS = {
    AlertGrouping.CAUSE: ("rule__title", "source__title"),
    AlertGrouping.ORDER: (),
    AlertGrouping.CUSTOMER: (),
}
SORT_KEYS = {
    GroupSort.SEVERITY: ("rank", "due", "first"),
    GroupSort.VALUE: ("-own_worth", "-worth", "due", "first"),
    GroupSort.NEWEST: ("-opened", "first"),
    GroupSort.OVERDUE: ("due", "first"),
    GroupSort.SIZE: ("-alerts", "due", "first"),
}


@dataclass(frozen=True, slots=True)
class AlertGroup:
    """A group of alerts. `money`: a sum for each currency, that of the organization first.

    `first`: one alert, which is the only one of a group of one. `owner`: who has all its alerts;
    `owners`: how many have some.
    """

    key: str
    title: str
    detail: str
    alerts: int
    orders: int
    severity: str
    earliest_due_at: datetime
    first: int
    unassigned: int
    owners: int
    owner: str = ""
    money: Money = ()

    @property
    def text(self) -> str:
        """The title with the detail."""
        return f"{self.title}, {self.detail}".rstrip(", ")


@dataclass(frozen=True, slots=True)
class GroupPage:
    """Groups of a view. `total`: of all pages. `next_start`: of the next page, or None."""

    groups: Sequence[AlertGroup] = ()
    total: int = 0
    next_start: int | None = None


@dataclass(frozen=True, slots=True)
class GroupSummary:
    """What the preview of a group shows. `common`: name, value and how many alerts have it.

    `arrivals`: the alerts opened in each of the last 24 hours, the oldest first.
    """

    group: AlertGroup
    rule: SlaRule | None
    common: Sequence[tuple[str, str, int]] = ()
    compared: int = 0
    arrivals: Sequence[int] = field(default_factory=list)
    worst: Sequence[Alert] = ()


def load_group_page(query: InboxQuery, now: datetime, *, start: int = 0) -> GroupPage:
    """A page of the groups of a view. Two SQL statements, four with owners and several pages."""
    rows = _group_rows(query, now)
    page = list(rows.order_by(*SORT_KEYS[query.group_sort])[start : start + PAGE_SIZE + 1])
    more, page = len(page) > PAGE_SIZE, page[:PAGE_SIZE]
    total = rows.count() if more or start else len(page)
    return GroupPage(_groups_of_rows(query, page, now), total, start + PAGE_SIZE if more else None)


def load_group(query: InboxQuery, now: datetime) -> AlertGroup | None:
    """The group that the query asks for, with its alerts in the view; None if there are none."""
    by = grouping_of_key(query.group)
    if by is None:
        return None
    query = replace(query, by=by)
    groups = _groups_of_rows(query, list(_group_rows(query, now)[:1]), now)
    return groups[0] if groups else None


def load_worst_alerts(
    query: InboxQuery, now: datetime, *, limit: int = SHOWN_OF_GROUP
) -> list[Alert]:
    """The most severe alerts of the view, the longest overdue first. One SQL statement."""
    alerts = alerts_of_view(query, now).select_related(*RELATED_FIELDS)
    return list(alerts.annotate(rank=RANK).order_by("rank", "due_at", "id")[:limit])


def load_group_summary(query: InboxQuery, now: datetime) -> GroupSummary | None:
    """A group with what its alerts have in common. At most seven SQL statements."""
    group = load_group(query, now)
    if group is None:
        return None
    worst = load_worst_alerts(query, now)
    rules = {alert.rule_id for alert in worst}
    facts = list(
        alerts_of_view(query, now)
        .order_by("due_at", "pk")
        .values_list(
            "rule__title",
            "order__order__warehouse",
            "order__order__carrier",
            "order__order__channel",
            "opened_at",
        )[:MAX_COMPARED]
    )
    is_cause = query.group.startswith(f"{AlertGrouping.CAUSE}:")
    return GroupSummary(
        group=group,
        rule=worst[0].rule if is_cause and len(rules) == 1 else None,
        common=_common_values([row[1:4] if is_cause else row[:4] for row in facts]),
        compared=len(facts),
        arrivals=_arrivals([row[-1] for row in facts], now) if group.alerts == len(facts) else [],
        worst=worst,
    )


def _group_rows(query: InboxQuery, now: datetime) -> QuerySet[Any, dict[str, Any]]:
    alerts = annotate_shared_value(alerts_of_view(query, now), query.by, contacts=query.contacts)
    own_currency = Q(currency=organization_currency())
    rows: QuerySet[Any, dict[str, Any]] = (
        alerts.order_by()
        .values(*COLUMNS[query.by], *TITLE_COLUMNS[query.by])
        .annotate(
            alerts=Count("pk"),
            orders=Count("order_id", distinct=True),
            unassigned=Count("pk", filter=Q(owner=None)),
            owners=Count("owner_id", distinct=True),
            some_owner=Min("owner_id"),
            rank=Min(RANK),
            due=Min("due_at"),
            opened=Max("opened_at"),
            own_worth=Sum("money", filter=own_currency, default=Decimal(0)),
            worth=Sum("money", default=Decimal(0)),
            first=Min("pk"),
            number=Min("order__order__number"),
            name=Max("order__order__customer_name"),
            customer_no=Max("order__order__customer_no"),
            about=Min("title"),
        )
    )
    return rows


def _groups_of_rows(
    query: InboxQuery, rows: Sequence[Mapping[str, Any]], now: datetime
) -> list[AlertGroup]:
    single = {row["some_owner"] for row in rows if row["owners"] == 1 and not row["unassigned"]}
    owners = User.objects.in_bulk(list(single)) if single else {}
    money = _money_of_groups(query, rows, now) if rows else {}
    return [
        AlertGroup(
            key=(key := group_key(query.by, row)),
            title=_title(query, row),
            detail=_detail(query, row),
            alerts=row["alerts"],
            orders=row["orders"],
            severity=SEVERITIES.get(row["rank"], Severity.LOW),
            earliest_due_at=row["due"],
            first=row["first"],
            unassigned=row["unassigned"],
            owners=row["owners"],
            owner=user_display_name(owners[row["some_owner"]])
            if row["some_owner"] in owners and not row["unassigned"] and row["owners"] == 1
            else "",
            money=money.get(key, ()),
        )
        for row in rows
    ]


def _money_of_groups(
    query: InboxQuery, rows: Sequence[Mapping[str, Any]], now: datetime
) -> dict[str, Money]:
    """The money at risk by group and currency. One SQL statement."""
    columns = COLUMNS[query.by]
    first = columns[0]
    values = {row[first] for row in rows}
    of_page = Q(**{f"{first}__in": values - {None}})
    if None in values:
        of_page |= Q(**{f"{first}__isnull": True})
    alerts = annotate_shared_value(alerts_of_view(query, now), query.by, contacts=query.contacts)
    sums: dict[str, list[MoneySum]] = defaultdict(list)
    for row in (
        alerts.filter(of_page)
        .exclude(money=None)
        .order_by()
        .values(*columns, "currency")
        .annotate(total=Sum("money"))
    ):
        sums[group_key(query.by, row)].append(MoneySum(row["total"], row["currency"]))
    return {key: own_currency_first(totals) for key, totals in sums.items()}


def _title(query: InboxQuery, row: Mapping[str, Any]) -> str:
    if query.by is AlertGrouping.ORDER:
        return f"Order {row['number']}" if row["number"] else "Not about an order"
    if query.by is AlertGrouping.CUSTOMER:
        name = row["name"] if query.contacts else ""
        return name or row["shared_value"] or "No customer known"
    if row["kind"] == AlertKind.UNMAPPED_STATUS:
        return f"Unmapped status {row['shared_value']}"
    if row["kind"] == AlertKind.SOURCE_SILENT:
        return (
            str(row["about"]) if row["alerts"] == 1 else f"Missing data from {row['source__title']}"
        )
    if row["kind"] == AlertKind.RULE_FAILED:
        return f"Rule that fails with an error: {row['rule__title'] or row['about']}"
    return str(row["rule__title"] or row["about"])


def _detail(query: InboxQuery, row: Mapping[str, Any]) -> str:
    """What the alerts have in common besides the title."""
    name = row["name"] if query.contacts else ""
    if query.by is AlertGrouping.ORDER:
        return str(name or row["customer_no"] or "")
    if query.by is AlertGrouping.CUSTOMER:
        return count_with_noun(row["orders"], "order")
    details = [row["shared_value"] if row["kind"] != AlertKind.UNMAPPED_STATUS else ""]
    if row["kind"] != AlertKind.SOURCE_SILENT:
        details.append(row["source__title"])
    if row["orders"] == 1:
        details += [row["number"], name or row["customer_no"]]
    return ", ".join(detail for detail in details if detail)


def _common_values(facts: Sequence[tuple[Any, ...]]) -> list[tuple[str, str, int]]:
    names = ("Rule", "Warehouse", "Carrier", "Channel")[-len(facts[0]) :] if facts else ()
    common = []
    for position, name in enumerate(names):
        counts = Counter(row[position] for row in facts if row[position])
        if counts:
            value, many = counts.most_common(1)[0]
            if many > 1 or len(facts) == 1:
                label = sales_channel_label(value) if name == "Channel" else value
                common.append((name, label, many))
    return common


def _arrivals(opened: Sequence[datetime], now: datetime) -> list[int]:
    ages = Counter(int((now - moment) / timedelta(hours=1)) for moment in opened)
    return [ages[age] for age in reversed(range(HOURS_OF_ARRIVALS))]
