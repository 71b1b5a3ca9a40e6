"""The money at risk of a view of the inbox, by currency."""

from collections import defaultdict
from datetime import datetime
from decimal import Decimal

from django.db.models import Sum

from visibility.screens.alerts.grouping import Money, MoneySum
from visibility.screens.alerts.groups import GroupPage
from visibility.screens.alerts.inbox import InboxQuery, alerts_of_view
from visibility.storage.organization import own_currency_first


def money_of_view(query: InboxQuery, page: GroupPage, now: datetime) -> Money:
    """The sums, that of the organization first. One SQL statement if the view has several pages."""
    sums: dict[str, Decimal] = defaultdict(Decimal)
    if page.total == len(page.groups):
        for total, currency in (each for group in page.groups for each in group.money):
            sums[currency] += total
    else:
        alerts = alerts_of_view(query, now).exclude(money=None).order_by()
        sums.update(alerts.values_list("currency").annotate(total=Sum("money")))
    return own_currency_first(MoneySum(total, currency) for currency, total in sums.items())
