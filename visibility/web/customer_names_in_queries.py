"""Take the names of customers out of saved query strings, for people who may not see them."""

from collections.abc import Iterator, Sequence

from django.http import QueryDict

from visibility.models import Customer, Order
from visibility.screens.alerts.grouping import AlertGrouping

# The filters that can have a name, and what is before the customer.
PREFIXES = {"customer": "", "group": f"{AlertGrouping.CUSTOMER}:"}


def without_customer_names(texts: Sequence[str]) -> list[str]:
    """The query strings without filters by a customer whose value is no customer number.

    At most two statements.
    """
    queries = [QueryDict(text, mutable=True) for text in texts]
    values = {customer for query in queries for _, _, customer in _customers(query)}
    numbers = _existing_customer_numbers(values) if values else set()
    for query in queries:
        for name, value, customer in list(_customers(query)):
            if customer not in numbers:
                query.setlist(name, [each for each in query.getlist(name) if each != value])
    return [
        query.urlencode() if any(_customers(QueryDict(text))) else text
        for text, query in zip(texts, queries, strict=True)
    ]


def _customers(query: QueryDict) -> Iterator[tuple[str, str, str]]:
    """Each filter by a customer: its parameter, its value, and the number or name in it.

    In the list of orders `group` is a customer group, which has no such prefix.
    """
    for name, prefix in PREFIXES.items():
        for value in query.getlist(name):
            if value.startswith(prefix):
                yield name, value, value.removeprefix(prefix)


def _existing_customer_numbers(values: set[str]) -> set[str]:
    orders = Order.objects.filter(customer_no__in=values)
    numbers = set(orders.values_list("customer_no", flat=True).distinct())
    customers = Customer.objects.filter(number__in=values - numbers)
    return numbers | set(customers.values_list("number", flat=True))
