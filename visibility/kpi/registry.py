"""Load the KPI definitions once per process."""

from collections.abc import Mapping
from functools import cache

from connectors.sdk.load_plugins_of_package import load_plugins
from visibility.kpi import definitions
from visibility.kpi.kpi import Kpi


@cache
def kpi_registry() -> Mapping[str, Kpi]:
    """Every KPI by its code, sorted by title."""
    kpis = {code: kind() for code, kind in load_plugins(definitions, Kpi, "code").items()}
    return dict(sorted(kpis.items(), key=lambda item: item[1].title))
