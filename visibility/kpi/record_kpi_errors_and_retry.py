"""KPIs that raise: record the failure instead of a fact, and retry later."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal

from django.db.models import Count, Min, Q
from structlog.stdlib import get_logger

from visibility.kpi.kpi import Kpi, KpiMeasurement
from visibility.kpi.registry import kpi_registry
from visibility.models.kpis import FailedKpi

log = get_logger(__name__)
# A KPI that was not changed is retried after this time.
RETRY_AFTER = timedelta(hours=1)
BATCH_SIZE = 1000
MAX_ERROR_LENGTH = 300
# What the columns of a fact and their sums can store.
MAX_VALUE = Decimal(10) ** 18
MAX_REASON_LENGTH = 40
MAX_SUBJECT_KEY_LENGTH = 300
MAX_SHOWN = 20


class InvalidMeasurement(ValueError):
    """A KPI returned a measurement that cannot be stored; the message says which part."""


@dataclass(frozen=True, slots=True)
class KpiFailureWithOrderCount:
    """How many orders one KPI fails for, why, and one of them."""

    kpi: str
    error: str
    orders: int
    example_order_id: int


def check_measurement(result: KpiMeasurement) -> KpiMeasurement:
    """Return the measurement if it can be stored. Raises InvalidMeasurement."""
    if not isinstance(result, KpiMeasurement):
        raise InvalidMeasurement("it is no KpiMeasurement")
    if not isinstance(result.day, date) or isinstance(result.day, datetime):
        raise InvalidMeasurement("its day is no date")
    for value in (result.numerator, result.denominator):
        if value is not None and not _is_storable(value):
            raise InvalidMeasurement("its numerator or denominator is no decimal in range")
    if not isinstance(result.excluded, str) or len(result.excluded) > MAX_REASON_LENGTH:
        raise InvalidMeasurement("its reason for exclusion is no short text")
    is_open_interval = result.started_at is not None and result.ended_at is None
    has_value = result.numerator is not None or is_open_interval
    if not result.excluded and (not has_value or result.denominator is None):
        raise InvalidMeasurement("it has neither a value nor a reason for exclusion")
    if not isinstance(result.subject_key, str) or len(result.subject_key) > MAX_SUBJECT_KEY_LENGTH:
        raise InvalidMeasurement("its subject key is no short text")
    for reason, count in result.uncountable.items():
        if not isinstance(reason, str) or not isinstance(count, int):
            raise InvalidMeasurement("its uncountable lines are no numbers by reason")
    return result


def _is_storable(value: object) -> bool:
    return isinstance(value, Decimal) and value.is_finite() and abs(value) < MAX_VALUE


def replace_kpi_failures(
    failures: Mapping[tuple[int, str], Exception], order_ids: Collection[int]
) -> None:
    """Replace the failures of these orders; log only new ones, once for each KPI."""
    old = {(row.order_id, row.kpi): row for row in FailedKpi.objects.filter(order_id__in=order_ids)}
    wanted = {
        (order_id, code): FailedKpi(
            order_id=order_id,
            kpi=code,
            version=kpi_registry()[code].version,
            error=_failure_text_of_exception(error),
        )
        for (order_id, code), error in failures.items()
    }
    ended = [row.pk for key, row in old.items() if key not in wanted]
    if ended:
        FailedKpi.objects.filter(pk__in=ended).delete()
    changed = {
        key: row
        for key, row in wanted.items()
        if key not in old or (old[key].error, old[key].version) != (row.error, row.version)
    }
    if changed:
        FailedKpi.objects.bulk_create(
            changed.values(),
            update_conflicts=True,
            unique_fields=["order", "kpi"],
            update_fields=["error", "version", "failed_at"],
        )
    for code, order_id in {code: order_id for order_id, code in changed}.items():
        log.warning("kpi_failed", kpi=code, order=order_id, exc_info=failures[order_id, code])


def _failure_text_of_exception(error: Exception) -> str:
    if isinstance(error, InvalidMeasurement):
        return f"Its result cannot be stored: {error}."[:MAX_ERROR_LENGTH]
    return f"It failed with an internal error ({type(error).__name__}). See the worker log."


def take_orders_due_for_kpi_retry(*, now: datetime) -> list[int]:
    """Return the orders whose failed KPIs are due for a retry, and mark them as retried.

    A retry is due when the KPI has another version or was removed, or after an hour. Call it in the
    transaction that requests the refold: each order is returned once.
    """
    is_due = Q(failed_at__lt=now - RETRY_AFTER) | ~_current_kpi_version_condition(kpi_registry())
    rows = list(
        FailedKpi.objects.select_for_update(skip_locked=True)
        .filter(is_due)
        .values_list("pk", "order_id", "kpi")[:BATCH_SIZE]
    )
    versions = {code: kpi.version for code, kpi in kpi_registry().items()}
    for code in {code for _, _, code in rows}:
        pks = [pk for pk, _, failed in rows if failed == code]
        retried = FailedKpi.objects.filter(pk__in=pks)
        if code in versions:
            retried.update(failed_at=now, version=versions[code])
        else:
            retried.delete()
    return sorted({order_id for _, order_id, _ in rows})


def _current_kpi_version_condition(kpis: Mapping[str, Kpi]) -> Q:
    condition = Q(pk__in=())
    for code, kpi in kpis.items():
        condition |= Q(kpi=code, version=kpi.version)
    return condition


def kpi_failures_with_order_counts(code: str = "") -> Sequence[KpiFailureWithOrderCount]:
    """Return the current failures, of one KPI or of all, those with the most orders first."""
    rows = FailedKpi.objects.filter(**({"kpi": code} if code else {}))
    groups = rows.values("kpi", "error").annotate(orders=Count("order"), example=Min("order"))
    return [
        KpiFailureWithOrderCount(group["kpi"], group["error"], group["orders"], group["example"])
        for group in groups.order_by("-orders", "kpi", "error")[:MAX_SHOWN]
    ]
