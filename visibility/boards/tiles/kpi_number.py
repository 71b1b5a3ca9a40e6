"""One KPI as a number. The settings name the KPI and the number of days."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from connectors.sdk.settings import Setting, SettingType
from visibility.boards.tile import Tile
from visibility.boards.tile_table import TileReader, TileTable
from visibility.formatting import in_zone
from visibility.kpi import query
from visibility.kpi.kpi import Kpi, KpiFamily
from visibility.kpi.periods import Comparison, compared_span
from visibility.kpi.query import NO_FILTERS, DaySpan
from visibility.kpi.registry import kpi_registry
from visibility.kpi.targets import target_for
from visibility.models.permission import Permission
from visibility.screens.kpis.kpi_tile import KpiTile, build_tile
from visibility.screens.kpis.provisional import load_provisional_rule
from visibility.screens.kpis.selection import comparison_phrase
from visibility.screens.lists.list_definition import ColumnValue
from visibility.storage.organization import organization_time_zone


def check_kpi_code(text: str) -> None:
    """Check that there is a KPI with this code. Raises ValueError."""
    if text not in kpi_registry():
        known = ", ".join(sorted(kpi_registry()))
        raise ValueError(f"There is no KPI {text[:60]!r}. Use one of: {known}.")


class KpiNumber(Tile):
    """The value of a KPI over the last days, with its target and its change."""

    code = "kpi_number"
    title = "KPI"
    kinds = ("order",)
    width = 1
    href = "/numbers"
    permission = Permission.KPIS
    settings = (
        Setting("kpi", "The code of the KPI.", default="fill_rate", check=check_kpi_code),
        Setting(
            "days",
            "The number of days, up to today.",
            SettingType.INTEGER,
            default="28",
            minimum=1,
            maximum=366,
        ),
        Setting(
            "compare",
            "What the value is compared with.",
            SettingType.CHOICE,
            default=Comparison.PREVIOUS,
            choices=tuple(Comparison),
        ),
    )

    @property
    def kpi(self) -> Kpi:
        """The KPI that the setting names."""
        return kpi_registry()[self.values.text("kpi")]

    @property
    def usual_title(self) -> str:
        """The title of the KPI."""
        return self.kpi.title

    @property
    def displayed_href(self) -> str:
        """The page of the KPI."""
        return f"/numbers/{self.kpi.code}"

    def load_context(self, now: datetime) -> Mapping[str, Any]:
        """The value of the last days and of as many before, with a few SQL statements."""
        days = self.values.integer("days")
        today = in_zone(now, organization_time_zone()).date()
        span = DaySpan(today - timedelta(days=days - 1), today)
        current = query.summary(self.kpi, span, now=now)
        comparison = Comparison(self.values.text("compare"))
        compared = compared_span(span, comparison)
        before = query.summary(self.kpi, compared) if compared else None
        period = comparison_phrase(comparison, span)
        return {
            "tile": build_tile(
                self.kpi,
                current,
                before,
                target=target_for(self.kpi, NO_FILTERS, span.end),
                end=span.end,
                period=period,
                provisional=load_provisional_rule(now, NO_FILTERS).text(self.kpi, span),
            ),
            "days": days,
            "is_stock": self.kpi.family is KpiFamily.STOCK,
        }

    def build_table(self, context: Mapping[str, Any], reader: TileReader) -> TileTable:
        """The value with its target, change, population and exclusions."""
        shown: KpiTile = context["tile"]
        rows: list[list[ColumnValue]] = [
            ["Date range", "Now" if context["is_stock"] else f"Last {context['days']} days"],
            [self.kpi.title, "" if shown.no_value_reason else shown.value],
        ]
        if shown.no_value_reason:
            rows.append(["No KPI value", shown.no_value_reason])
        if shown.provisional:
            rows.append(["Provisional", shown.provisional.removeprefix("Provisional: ")])
        rows += [
            ["Target", shown.target.text],
            ["Change", shown.change.text],
            ["Counted", shown.population],
        ]
        rows += [[f"Excluded: {reason.text}", reason.count] for reason in shown.reasons]
        # Their texts already have the count.
        rows += [["Excluded lines", reason.text] for reason in shown.uncountable_reasons]
        return TileTable(("Figure", "Value"), rows)
