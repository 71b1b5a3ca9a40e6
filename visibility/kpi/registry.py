"""The KPIs on the shelf, loaded once."""

from collections.abc import Mapping
from functools import cache

from connectors.sdk.registry import load
from visibility.kpi import definitions
from visibility.kpi.kpi import Kpi
from visibility.kpi.undelivered import Undelivered


@cache
def shelf() -> Mapping[str, Kpi]:
    """Every KPI by its code, in the order of the titles."""
    found = {code: kind() for code, kind in load(definitions, Kpi, "code").items()}
    return dict(sorted(found.items(), key=lambda item: item[1].title))


@cache
def measured() -> Mapping[str, Kpi]:
    """Everything that orders are counted in: the shelf, and the stock that stands beside it."""
    return {**shelf(), Undelivered.code: Undelivered()}
