"""Numbers in words: a figure with its unit, its distance from the target, better or worse."""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal

from visibility.formatting import many
from visibility.kpi.kpi import Kpi, Unit
from visibility.kpi.query import Summary

NONE = "\u2013"
UNKNOWN = "Not known"


@dataclass(frozen=True, slots=True)
class Said:
    """A phrase and its tone: ok, risk, late, or unknown."""

    text: str
    tone: str = "unknown"


def percent(share: float) -> str:
    """`94.1 %`."""
    return f"{share * 100:.1f}\u00a0%"


def length(seconds: float, *, beside: float | None = None) -> str:
    """`2.1 d`, `5.3 h`, `12 min`: one unit, as averages are told; the unit of the one `beside`."""
    size, word = _unit(seconds if beside is None else beside)
    places = 0 if word == "min" else 1
    least = 0.1**places
    if beside is not None and seconds and abs(seconds) / size < least / 2:
        return f"under {least:.{places}f}\u00a0{word}"
    return f"{seconds / size:.{places}f}\u00a0{word}"


def _unit(seconds: float) -> tuple[int, str]:
    """The unit a length of time is told in."""
    if abs(seconds) >= 86_400:
        return 86_400, "d"
    return (3_600, "h") if abs(seconds) >= 3_600 else (60, "min")


def figure(kpi: Kpi, value: float | Decimal | None) -> str:
    """A value of the KPI with its unit, or a dash."""
    if value is None:
        return NONE
    return percent(float(value)) if kpi.unit is Unit.PERCENT else length(float(value))


def distance(kpi: Kpi, value: float | None) -> Said:
    """How far a value is from the target."""
    if kpi.target is None or value is None:
        return Said("")
    gap = value - float(kpi.target)
    target = plain_target(kpi)
    if abs(gap) < (0.0005 if kpi.unit is Unit.PERCENT else 60):
        return Said(f"on target, {target}", "ok")
    side = "above" if gap > 0 else "below"
    good = (gap > 0) == kpi.higher_is_better
    return Said(
        f"{_gap(kpi, gap, beside=float(kpi.target))} {side} target, {target}",
        tone(kpi, value) if not good else "ok",
    )


def plain_target(kpi: Kpi) -> str:
    """`96 %`, `3 d`; empty where there is none."""
    if kpi.target is None:
        return ""
    if kpi.unit is Unit.PERCENT:
        return f"{float(kpi.target) * 100:g}\u00a0%"
    size, word = _unit(float(kpi.target))
    return f"{float(kpi.target) / size:g}\u00a0{word}"


def tone(kpi: Kpi, value: float | None) -> str:
    """ok on target, risk a little off (3 points, or a quarter more), late beyond."""
    if value is None or kpi.target is None:
        return "unknown"
    target = float(kpi.target)
    slack = 0.03 if kpi.unit is Unit.PERCENT else target / 4
    off = target - value if kpi.higher_is_better else value - target
    return "ok" if off <= 0 else "risk" if off <= slack else "late"


TONE_WORDS = {"ok": "on target", "risk": "near target", "late": "off target", "unknown": ""}


def change(kpi: Kpi, now: Summary, before: Summary, *, days: int) -> Said:
    """Better or worse than the span before."""
    period = f"the {days} days before" if days > 1 else "the day before"
    here, there = now.headline(kpi), before.headline(kpi)
    if here is None:
        return Said("")
    if there is None:
        return Said(f"no value in {period}")
    gap = here - there
    if abs(gap) < (0.0005 if kpi.unit is Unit.PERCENT else 60):
        return Said(f"same as {period}", "unknown")
    better = (gap > 0) == kpi.higher_is_better
    word = "better" if better else "worse"
    return Said(
        f"{_gap(kpi, gap, beside=max(here, there))} {word} than {period} ({figure(kpi, there)})",
        "ok" if better else "late",
    )


def population(kpi: Kpi, found: Summary) -> str:
    """`941 of 1 000 lines, 312 orders`."""
    orders = f"{many(found.orders)} order{'' if found.orders == 1 else 's'}"
    if kpi.unit is Unit.DURATION:
        return orders
    counted = f"{many(found.numerator)} of {many(found.denominator)} {kpi.counted}"
    return counted if kpi.counted == "orders" else f"{counted}, {orders}"


def why_none(kpi: Kpi, found: Summary) -> str:
    """Why there is no value."""
    if found.left_out:
        return "every order of this span is left out"
    if kpi.unit is Unit.DURATION:
        return "no order was delivered"
    return "no order reached its cut-off"


def reason(kpi: Kpi, code: str) -> str:
    """Why orders are left out, as a phrase."""
    return kpi.reasons.get(code, code.replace("_", " "))


ASIDE = {
    "unit": "told in units that nobody has related to each other",
    "unknown_sku": "whose article is not mapped yet",
}


def set_aside(aside: Mapping[str, int]) -> list[tuple[str, int, str]]:
    """Code, how many, and `2 lines told in units ...`: what could not be counted, and why."""
    return [
        (
            code,
            n,
            f"{many(n)} line{'' if n == 1 else 's'} {ASIDE.get(code, code.replace('_', ' '))}",
        )
        for code, n in aside.items()
    ]


def name(value: str) -> str:
    """A channel, warehouse or group as it is shown."""
    return value or UNKNOWN


def counts_as(kpi: Kpi, numerator: Decimal | None, denominator: Decimal | None, why: str) -> str:
    """How one order counts: `3 of 4 lines`, `2.1 d`, or why it does not."""
    if why or numerator is None or not denominator:
        return f"Left out: {reason(kpi, why)}"
    if kpi.unit is Unit.DURATION:
        return length(float(numerator / denominator))
    if kpi.counted == "orders":
        return "Kept" if numerator >= denominator else "Missed"
    return f"{many(numerator)} of {many(denominator)} {kpi.counted}"


def _gap(kpi: Kpi, gap: float, *, beside: float) -> str:
    """In points, or in the unit of the length of time it stands beside."""
    if kpi.unit is Unit.DURATION:
        return length(abs(gap), beside=beside)
    points = f"{abs(gap) * 100:.1f}"
    return f"{points}\u00a0point{'' if points == '1.0' else 's'}"
