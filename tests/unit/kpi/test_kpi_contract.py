"""Every KPI definition states what pages, the API and boards show of it."""

import pytest

from tests.builders.timelines import folded
from visibility.kpi.dimensions import DIMENSIONS, SHARED_DIMENSIONS
from visibility.kpi.kpi import Kpi, KpiUnit
from visibility.kpi.measured_records import RecordKind, RecordKpi
from visibility.kpi.registry import kpi_registry


@pytest.mark.parametrize("kpi", kpi_registry().values(), ids=lambda kpi: kpi.code)
def test_definition_is_complete(kpi: Kpi) -> None:
    assert kpi.title
    assert kpi.title[0].isupper()
    assert kpi.definition.endswith(".")
    assert "time zone" in kpi.definition, "the definition states the day on which an order counts"
    assert kpi.unit in KpiUnit
    assert kpi.version >= 1
    records = {f"{kind}s" for kind in RecordKind}
    assert kpi.counted in {"orders", "lines", "units", "events"} | records
    if isinstance(kpi, RecordKpi):
        assert (kpi.subject, kpi.counted) == (kpi.record_kind, f"{kpi.record_kind}s")
    assert set(kpi.dimensions) <= set(DIMENSIONS)
    assert set(SHARED_DIMENSIONS) <= set(kpi.dimensions), "the overview filters all KPIs"
    # A clause after "no value: ", such as "no orders were delivered".
    assert kpi.no_value_reason.startswith("no ")
    assert not kpi.no_value_reason.endswith(".")
    for code, phrase in kpi.reasons.items():
        assert code.islower()
        assert len(code) <= 40
        assert phrase


@pytest.mark.parametrize("kpi", kpi_registry().values(), ids=lambda kpi: kpi.code)
def test_target_has_the_unit_of_the_value(kpi: Kpi) -> None:
    if kpi.target is not None:
        assert kpi.target > 0
        assert kpi.unit is KpiUnit.DURATION or kpi.target <= 1


@pytest.mark.parametrize("kpi", kpi_registry().values(), ids=lambda kpi: kpi.code)
def test_order_without_events_does_not_fail(kpi: Kpi) -> None:
    assert all(m.excluded in kpi.reasons for m in kpi.measurements(folded(), "UTC"))
