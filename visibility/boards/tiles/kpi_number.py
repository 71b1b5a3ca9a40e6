"""One KPI as a number. The setting `kpi` of the board names the KPI."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings

from visibility.boards.tile import InvalidTileSetting, Tile
from visibility.formatting import in_zone
from visibility.kpi import query
from visibility.kpi.kpi import Kpi, KpiFamily
from visibility.kpi.query import DaySpan
from visibility.kpi.registry import kpi_registry
from visibility.screens.kpis.overview_and_kpi_page import build_tile

DAYS = 28
DEFAULT_KPI = "fill_rate"


class KpiNumber(Tile):
    """The value of a KPI over the last 28 days, with its target and its change."""

    code = "kpi_number"
    title = "KPI"
    kinds = ("order",)
    width = 1
    href = "/numbers"

    @property
    def kpi(self) -> Kpi:
        """The KPI that the setting names. Raises InvalidTileSetting."""
        code = self.settings.get("kpi", DEFAULT_KPI)
        kpi = kpi_registry().get(code) if isinstance(code, str) else None
        if kpi is None:
            known = ", ".join(sorted(kpi_registry()))
            raise InvalidTileSetting(
                f"kpi: there is no KPI {str(code)[:60]!r}. Use one of: {known}."
            )
        return kpi

    @property
    def displayed_title(self) -> str:
        """The title of the KPI."""
        return self.kpi.title

    @property
    def displayed_href(self) -> str:
        """The page of the KPI."""
        return f"/numbers/{self.kpi.code}"

    def load_context(self, now: datetime) -> Mapping[str, Any]:
        """The value of the last 28 days and of the 28 days before, with a few SQL statements."""
        today = in_zone(now, settings.TIME_ZONE).date()
        span = DaySpan(today - timedelta(days=DAYS - 1), today)
        current = query.summary(self.kpi, span, now=now)
        before = query.summary(self.kpi, span.previous())
        return {
            "tile": build_tile(self.kpi, current, before, span),
            "days": DAYS,
            "is_stock": self.kpi.family is KpiFamily.STOCK,
        }
