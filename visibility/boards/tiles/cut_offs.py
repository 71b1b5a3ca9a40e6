"""The orders that must leave by the next cut-off of each warehouse and carrier."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import quote_plus

from connectors.sdk.settings import Setting, SettingType
from visibility.boards.current_figures import sources_reporting_text
from visibility.boards.tile import Tile
from visibility.boards.tile_table import TileReader, TileTable
from visibility.formatting import format_date, in_zone
from visibility.models.permission import Permission
from visibility.screens.orders.cutoff_orders import (
    STAGE_LABELS,
    CutoffFilter,
    CutoffStage,
    count_orders_of_cutoffs,
)
from visibility.screens.sources.current_states import SourceCounts, count_sources
from visibility.sla.cutoff_times import CutOff, load_current_cutoffs

NEVER = timedelta.max
SHORTLY = timedelta(hours=1)
TONES = {
    CutoffStage.DEPARTED: "ok",
    CutoffStage.READY: "running",
    CutoffStage.NOT_PICKED: "unknown",
}


@dataclass(frozen=True, slots=True)
class StageCount:
    """The number of orders in one stage of a cut-off, and the list of them."""

    label: str
    count: int
    href: str
    tone: str


@dataclass(frozen=True, slots=True)
class CutoffRow:
    """One cut-off. `time`: in its zone, with the day if that is not today."""

    cut: CutOff
    time: str
    is_passed: bool
    tone: str
    stages: list[StageCount]
    waiting: int

    @property
    def slack(self) -> timedelta:
        """The key of the order of rows: what has nothing left to send comes last."""
        if self.cut.at is None or not self.waiting:
            return NEVER
        return self.cut.at - datetime.min.replace(tzinfo=self.cut.at.tzinfo)


class CutOffs(Tile):
    """The orders that must leave by each cut-off: gone, ready, not picked, at risk."""

    code = "cut_offs"
    title = "Cut-offs"
    kinds = ("order", "alert", "source")
    permission = Permission.ORDERS
    is_filtered = True
    href = "/orders?open=1"
    settings = (
        Setting(
            "limit",
            "The number of cut-offs.",
            SettingType.INTEGER,
            default="8",
            minimum=1,
            maximum=50,
        ),
    )
    definition = (
        "Orders of the warehouse and carrier whose ship-by date, or else promise date, is the day "
        "of the cut-off or earlier. Gone: completely shipped since the cut-off before. At risk: "
        "the cut-off has passed, an SLA alert is open, the order is on hold or back-ordered, or it "
        "is not ready in the last hour. Ready: completely picked or packed. Orders without a date "
        "are not counted. Calendars name the cut-offs."
    )

    def load_context(self, now: datetime) -> Mapping[str, Any]:
        """Load the cut-offs and the counts with two statements, and the states of the sources."""
        cutoffs = load_current_cutoffs(now)
        counts = count_orders_of_cutoffs(cutoffs, self.board.orders, now)
        rows = [self._build_row(number, cut, counts, now) for number, cut in enumerate(cutoffs)]
        wanted = self.board.orders.warehouse.upper()
        rows = [row for row in rows if not wanted or row.cut.key[0] in {"", wanted}]
        rows.sort(key=lambda row: (row.slack, row.cut.at or now, row.cut.title))
        sources = count_sources(self.board.source_chips(now))
        limit = self.values.integer("limit")
        return {
            "rows": rows[:limit],
            "more": max(len(rows) - limit, 0),
            "named": bool(cutoffs),
            "subtitle": _subtitle(sources) if rows else "",
            "labels": list(STAGE_LABELS.values()),
            "now": now,
        }

    def build_table(self, context: Mapping[str, Any], reader: TileReader) -> TileTable:
        """The orders of each cut-off by stage."""
        rows: Sequence[CutoffRow] = context["rows"]
        return TileTable(
            ("Carrier", "Warehouse", "Cut-off", "Time zone", *context["labels"]),
            [
                [
                    row.cut.carrier or "Any carrier",
                    row.cut.warehouse or "Any warehouse",
                    row.time,
                    row.cut.zone,
                    *(stage.count for stage in row.stages),
                ]
                for row in rows
            ],
        )

    def _build_row(
        self, number: int, cut: CutOff, counts: Mapping[tuple[int, str], int], now: datetime
    ) -> CutoffRow:
        waiting = sum(
            many
            for (n, stage), many in counts.items()
            if n == number and stage != CutoffStage.DEPARTED
        )
        at_risk = counts.get((number, CutoffStage.AT_RISK), 0)
        is_passed = cut.at is not None and cut.at <= now
        is_near = cut.at is not None and cut.at - now <= SHORTLY
        late = "late" if is_passed and waiting else "risk"
        tone = late if at_risk or (is_near and waiting) else "plain"
        stages = []
        for stage, label in STAGE_LABELS.items():
            wanted = CutoffFilter(stage, cut.warehouse, cut.carrier)
            address = self.board.orders.link(f"/orders?cutoff={quote_plus(wanted.text)}")
            tone_of_stage = late if stage == CutoffStage.AT_RISK else TONES[CutoffStage(stage)]
            many = counts.get((number, stage), 0)
            stages.append(StageCount(label, many, address, tone_of_stage if many else "plain"))
        return CutoffRow(cut, _time_text(cut, now), is_passed, tone, stages, waiting)


def _subtitle(sources: SourceCounts) -> str:
    """Without all sources, orders may have left, or be due, that are not known."""
    if sources.all_report:
        return "least time left first"
    return f"may be incomplete: {sources_reporting_text(sources)}"


def _time_text(cut: CutOff, now: datetime) -> str:
    """`17:00`, `Mon, Nov 30, 17:00`."""
    if cut.at is None:
        return "none within 14 days"
    local = in_zone(cut.at, cut.zone)
    is_today = local.date() == in_zone(now, cut.zone).date()
    return f"{local:%H:%M}" if is_today else f"{format_date(local.date())}, {local:%H:%M}"
