"""What is known about a KPI or an alert at one moment: the input of the rules about them."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal


@dataclass(frozen=True, slots=True)
class KpiValueRequest:
    """Which value a rule asks for: a KPI by its code, over the last `days` days with today."""

    kpi: str
    days: int
    # The value of each dimension that is filtered: the scope of the rule.
    filters: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class KpiSnapshot:
    """The value of a KPI `as_of` a moment.

    `value`: a fraction of one, or the median in seconds if `is_duration`; None if nothing counts.
    `value_text` and `limit_text` put values into words. `counted`: the number of orders, lines or
    records. `since`: the start of the date range.
    """

    code: str
    title: str
    as_of: datetime
    since: datetime
    is_duration: bool
    higher_is_better: bool
    value: Decimal | None
    value_text: str
    counted: int


@dataclass(frozen=True, slots=True)
class AlertSnapshot:
    """An active alert `as_of` a moment.

    `open_since`: when it was last opened, reopened, or woke up. `is_acknowledged`: a person has
    acknowledged it. `severity` is a code, `rule` the code of its rule.
    """

    id: int
    title: str
    as_of: datetime
    open_since: datetime
    severity: str
    team: str
    rule: str
    is_acknowledged: bool = False


class UnknownKpi(LookupError):
    """No KPI has this code, or it lacks a dimension of the scope; the message says which."""
