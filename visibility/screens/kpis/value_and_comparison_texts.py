"""Format KPI values, their distance from the target, and their change."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal

from visibility.formatting import (
    count_with_noun,
    format_date,
    format_duration,
    format_number,
    format_percent,
    in_zone,
    sales_channel_label,
)
from visibility.kpi.kpi import Kpi, KpiFamily, KpiUnit
from visibility.kpi.measure_changed_records import FAILED
from visibility.kpi.query import KpiSummary
from visibility.storage.organization import organization_time_zone

NO_VALUE = "\u2013"
UNKNOWN_LABEL = "Unknown"


@dataclass(frozen=True, slots=True)
class KpiComparisonPhraseAndTone:
    """A phrase and its tone: ok, risk, late, or unknown."""

    text: str
    tone: str = "unknown"


# Medians are exact to half a percent: a duration is rounded to a step of at least one percent.
STEPS = (1, 60, 5 * 60, 15 * 60, 3_600, 6 * 3_600, 86_400)
PRECISION = 0.01


def format_kpi_duration(seconds: float, *, precision_of: float | None = None) -> str:
    """`2 d 4 h`, `5 h 20 min`, `12 min`, `8 s`: as durations elsewhere, rounded.

    A difference is as precise as the values that it is of: `precision_of` is the larger one, by
    default `seconds`. A smaller difference than that is `under 1 h`.
    """
    of = abs(seconds if precision_of is None else precision_of)
    least = 60 if of >= 60 else of * PRECISION
    step = next((step for step in STEPS if step >= max(least, of * PRECISION)), STEPS[-1])
    rounded = round(abs(seconds) / step) * step
    if seconds and not rounded:
        return f"under\u00a0{_duration_without_breaks(step)}"
    return _duration_without_breaks(rounded) if rounded else "0\u00a0min"


def _duration_without_breaks(seconds: float) -> str:
    return format_duration(timedelta(seconds=seconds)).replace(" ", "\u00a0")


def format_kpi_value(kpi: Kpi, value: float | Decimal | None) -> str:
    """A value of the KPI with its unit, or a dash."""
    if value is None:
        return NO_VALUE
    return (
        format_percent(float(value))
        if kpi.unit is KpiUnit.PERCENT
        else format_kpi_duration(float(value))
    )


def compare_to_target(
    kpi: Kpi, value: float | None, target: Decimal | None
) -> KpiComparisonPhraseAndTone:
    """The distance of a value from its target: `5 h above the 3 d target`."""
    if target is None or value is None:
        return KpiComparisonPhraseAndTone("")
    gap = value - float(target)
    target_text = format_target(kpi, target)
    if abs(gap) < _smallest_shown_difference(kpi, value):
        return KpiComparisonPhraseAndTone(f"on target ({target_text})", "ok")
    side = "above" if gap > 0 else "below"
    good = (gap > 0) == kpi.higher_is_better
    return KpiComparisonPhraseAndTone(
        f"{_format_gap(kpi, gap, precision_of=max(float(target), value))} {side} "
        f"the {target_text} target",
        target_tone(kpi, value, target) if not good else "ok",
    )


def _smallest_shown_difference(kpi: Kpi, value: float) -> float:
    """The smallest difference that is shown: 0.05 points, a minute, or a second below minutes."""
    if kpi.unit is KpiUnit.PERCENT:
        return 0.0005
    return 60 if value >= 60 else 1


def format_target(kpi: Kpi, target: Decimal | None) -> str:
    """`96%`, `3 d`; empty where there is none."""
    if target is None:
        return ""
    if kpi.unit is KpiUnit.PERCENT:
        return f"{float(target) * 100:g}%"
    return _duration_without_breaks(float(target))


def target_tone(kpi: Kpi, value: float | None, target: Decimal | None) -> str:
    """`ok` on target, `risk` up to 3 points or a quarter off, `late` beyond."""
    if value is None or target is None:
        return "unknown"
    limit = float(target)
    slack = 0.03 if kpi.unit is KpiUnit.PERCENT else limit / 4
    off = limit - value if kpi.higher_is_better else value - limit
    return "ok" if off <= 0 else "risk" if off <= slack else "late"


TONE_LABELS = {"ok": "on target", "risk": "near target", "late": "off target", "unknown": ""}


def compare_to_previous(
    kpi: Kpi, now: KpiSummary, before: KpiSummary | None, *, period: str
) -> KpiComparisonPhraseAndTone:
    """The change from another date range: `period` says which, such as `the previous 28 days`.

    `before` is None without a comparison.
    """
    if before is None:
        return KpiComparisonPhraseAndTone("")
    current_value, previous_value = (
        now.median_seconds_or_fraction(kpi),
        before.median_seconds_or_fraction(kpi),
    )
    if current_value is None:
        return KpiComparisonPhraseAndTone("")
    if previous_value is None:
        return KpiComparisonPhraseAndTone(f"no value in {period}")
    gap = current_value - previous_value
    if abs(gap) < _smallest_shown_difference(kpi, previous_value):
        return KpiComparisonPhraseAndTone(f"same as {period}", "unknown")
    better = (gap > 0) == kpi.higher_is_better
    direction = "better" if better else "worse"
    size = _format_gap(kpi, gap, precision_of=max(current_value, previous_value))
    return KpiComparisonPhraseAndTone(
        f"{size} {direction} than {period} ({format_kpi_value(kpi, previous_value)})",
        "ok" if better else "late",
    )


@dataclass(frozen=True, slots=True)
class KpiDelta:
    """The change from the previous date range as a chip: `1.3 points worse`, with an arrow.

    The tone is ok if better; worse is late off target, and risk on target or without one.
    """

    text: str
    icon: str
    tone: str


def change_as_chip(
    kpi: Kpi, now: KpiSummary, before: KpiSummary | None, target: Decimal | None
) -> KpiDelta | None:
    """The chip of a change; None without two values that can be compared."""
    if before is None:
        return None
    value, previous = (s.median_seconds_or_fraction(kpi) for s in (now, before))
    if value is None or previous is None:
        return None
    gap = value - previous
    if abs(gap) < _smallest_shown_difference(kpi, previous):
        return KpiDelta("unchanged", "minus", "unknown")
    size = _format_gap(kpi, gap, precision_of=max(value, previous))
    icon = "arrow-up" if gap > 0 else "arrow-down"
    if now.is_small_sample or before.is_small_sample:
        return KpiDelta(f"{size} {'more' if gap > 0 else 'less'}", icon, "unknown")
    if (gap > 0) == kpi.higher_is_better:
        return KpiDelta(f"{size} better", icon, "ok")
    is_late = target_tone(kpi, value, target) == "late"
    return KpiDelta(f"{size} worse", icon, "late" if is_late else "risk")


def describe_counts_behind_kpi_value(kpi: Kpi, summary: KpiSummary) -> str:
    """`941 of 1,000 lines, 312 orders`."""
    if kpi.unit is KpiUnit.DURATION:
        return count_with_noun(summary.orders, singular_noun_counted_by_kpi(kpi))
    orders = count_with_noun(summary.orders, kpi.subject)
    counted = (
        f"{format_number(summary.numerator)} of {format_number(summary.denominator)} {kpi.counted}"
    )
    return counted if singular_noun_counted_by_kpi(kpi) == kpi.subject else f"{counted}, {orders}"


def singular_noun_counted_by_kpi(kpi: Kpi) -> str:
    """The singular of what the KPI counts: `order`, `line`, `event`."""
    return kpi.counted.removesuffix("s")


def median_age_or_duration_label(kpi: Kpi) -> str:
    """What the median of a duration is: `median age` or `median duration`."""
    return "median age" if kpi.family is KpiFamily.STOCK else "median duration"


def no_value_reason(kpi: Kpi, summary: KpiSummary) -> str:
    """Why there is no value."""
    if summary.excluded_count and kpi.family is not KpiFamily.STOCK:
        return f"all {kpi.subject}s in this date range are excluded"
    return kpi.no_value_reason


def exclusion_reason(kpi: Kpi, code: str) -> str:
    """The phrase for an exclusion reason."""
    if code == FAILED:
        return "the KPI failed with an error; see the log"
    return kpi.reasons.get(code, code.replace("_", " "))


UNCOUNTABLE_REASONS = {
    "unit": "in units without a conversion",
    "unknown_sku": "with an unmapped item",
    "no_counterpart": "shipped under other items",
}


def uncountable_codes_counts_and_texts(
    uncountable: Mapping[str, int],
) -> list[tuple[str, int, str]]:
    """(code, count, `2 lines in units without a conversion`) for each reason."""
    return [
        (
            code,
            n,
            f"{count_with_noun(n, 'line')} {UNCOUNTABLE_REASONS.get(code, code.replace('_', ' '))}",
        )
        for code, n in uncountable.items()
    ]


def dimension_value_label(value: str) -> str:
    """A channel, warehouse or customer group as shown on pages."""
    return sales_channel_label(value) or UNKNOWN_LABEL


def describe_how_order_counts_in_kpi(
    kpi: Kpi,
    numerator: Decimal | None,
    denominator: Decimal | None,
    exclusion: str,
    *,
    started_at: datetime | None = None,
    ended_at: datetime | None = None,
) -> str:
    """How one order counts: `3 of 4 lines`, `2 d 4 h`, or why it is excluded.

    For a stock KPI: `Since Mar 2, 2026`, or `Mar 2, 2026 to Mar 5, 2026`.
    """
    if kpi.family is KpiFamily.STOCK and not exclusion and started_at:
        start = format_date(in_zone(started_at, organization_time_zone()).date())
        if ended_at is None:
            return f"Since {start}"
        return f"{start} to {format_date(in_zone(ended_at, organization_time_zone()).date())}"
    if exclusion or numerator is None or not denominator:
        return f"Excluded: {exclusion_reason(kpi, exclusion)}"
    if kpi.unit is KpiUnit.DURATION:
        return format_kpi_duration(float(numerator / denominator))
    if singular_noun_counted_by_kpi(kpi) == kpi.subject:
        met, missed = kpi.outcome_labels
        has_met = numerator >= denominator if kpi.higher_is_better else numerator <= 0
        return met if has_met else missed
    return f"{format_number(numerator)} of {format_number(denominator)} {kpi.counted}"


def _format_gap(kpi: Kpi, gap: float, *, precision_of: float) -> str:
    """A difference in percentage points, or as a duration with the precision of a value."""
    if kpi.unit is KpiUnit.DURATION:
        return format_kpi_duration(abs(gap), precision_of=precision_of)
    points = f"{abs(gap) * 100:.1f}"
    return f"{points}\u00a0point{'' if points == '1.0' else 's'}"
