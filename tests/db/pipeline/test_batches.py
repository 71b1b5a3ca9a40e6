"""Batches of a source with a schedule: dropped and sent files, and the alerts about them."""

import os
from datetime import timedelta
from pathlib import Path

import pytest
from django.test import Client

from connectors.catalog import connectors_by_slug
from tests.builders.sources import create_source
from tests.builders.users import signed_in
from visibility.alerts.sweep_due_clocks_and_snoozes import sweep
from visibility.db.database_time import database_now
from visibility.ingest import file_drop
from visibility.ingest.add_source_and_rotate_secret import InvalidSource, change_settings
from visibility.ingest.insert_messages import IncomingMessage, store_messages
from visibility.models import (
    Alert,
    BatchSchedule,
    InboundMessage,
    MessageState,
    RepeatedBatch,
    Source,
    SourceBatch,
)
from visibility.pipeline import job_functions
from visibility.web.permissions import UserRole

pytestmark = pytest.mark.django_db
HOUR, MINUTE = timedelta(hours=1), timedelta(minutes=1)
HEADER = "ORDER;SHIPMENT;PO;CUST;BOL;LINE;ITEM;QTY;UOM;STATUS;SHIPPED;SCAC;TRACKING;SSCC"
ROW = "S{n:05};NL-{n};PO-{n};C14;B{n};10;BOLT-M8;2;ST;C;03.03.2026 15:10;FDEG;4490443{n:05};"


@pytest.fixture
def drop(tmp_path: Path) -> Path:
    folder = tmp_path / "drop"
    folder.mkdir()
    return folder


@pytest.fixture
def source(drop: Path) -> Source:
    now = database_now()
    expected = now - 40 * MINUTE
    return create_source(
        "north",
        title="NorthLog",
        connector="northlog_945",
        role="3pl",
        config={
            "drop": str(drop),
            "batch_at": f"{expected:%H:%M}",
            "batch_zone": "UTC",
            "batch_number": "SHIP_{number}.csv",
            "batch_least_rows": "2",
        },
    )


def table(*numbers: int) -> bytes:
    return "\n".join([HEADER, *(ROW.format(n=n) for n in numbers), ""]).encode()


def put(folder: Path, name: str, body: bytes) -> None:
    path = folder / name
    path.write_bytes(body)
    before = database_now().timestamp() - 60
    os.utime(path, (before, before))


def collect() -> None:
    file_drop.collect_files(now=database_now())
    job_functions.parse_and_correlate_waiting_messages()


def run() -> dict[str, str]:
    """Run the job that evaluates rules; return the titles of open alerts by kind."""
    job_functions.enqueue_due_refolds_and_update_due_alerts()
    alerts = Alert.objects.filter(kind__startswith="batch_").exclude(state="resolved")
    return {alert.kind: alert.title for alert in alerts}


def set_schedule_long_ago() -> None:
    BatchSchedule.objects.update(expected_since=database_now() - 20 * HOUR)


def test_a_late_file_opens_an_alert_that_its_arrival_closes(source: Source, drop: Path) -> None:
    assert run() == {}  # the schedule counts from now
    set_schedule_long_ago()
    [(kind, title)] = run().items()
    assert kind == "batch_late"
    assert title.startswith("The batch from NorthLog that was expected ")
    put(drop, "SHIP_0007.csv", table(1, 2, 3))
    collect()
    assert run() == {}
    alert = Alert.objects.get(kind="batch_late")
    assert alert.resolution.startswith("SHIP_0007.csv arrived ")
    [batch] = SourceBatch.objects.all()
    assert (batch.records, batch.number, batch.problem) == (3, "0007", "")
    assert run() == {}  # another run changes nothing
    assert SourceBatch.objects.count() == 1


def test_an_unrecorded_message_keeps_a_batch_from_being_late(source: Source, drop: Path) -> None:
    run()
    set_schedule_long_ago()
    put(drop, "SHIP_0007.csv", table(1, 2, 3))
    file_drop.collect_files(now=database_now())
    sweep(now=database_now())
    assert not Alert.objects.filter(kind="batch_late").exists()


def test_empty_short_doubled_and_missing_files_have_alerts_of_their_own(
    source: Source, drop: Path
) -> None:
    run()
    for name, body in (
        ("SHIP_1.csv", table(1, 2, 3)),
        ("SHIP_2.csv", HEADER.encode() + b"\n"),
        ("SHIP_3.csv", table(7)),
        ("SHIP_3b.csv", table(1, 2, 3)),
        ("SHIP_6.csv", table(11, 12)),
    ):
        put(drop, name, body)
        collect()
    assert run() == {
        "batch_empty": "SHIP_2.csv from NorthLog has no records",
        "batch_short": "SHIP_3.csv from NorthLog has 1 record, at least 2 are expected",
        "batch_doubled": "SHIP_3b.csv from NorthLog has the same content as SHIP_1.csv: "
        "it was not read a second time",
        "batch_out_of_order": "Batches 4 to 5 from NorthLog are missing: 6 came after 3",
    }
    assert InboundMessage.objects.filter(state=MessageState.APPLIED).count() == 3
    put(drop, "SHIP_4.csv", table(21, 22))
    put(drop, "SHIP_5.csv", table(23, 24))
    collect()
    run()
    gap = Alert.objects.get(subject_key__startswith="before ")
    assert (gap.state, gap.resolution) == ("resolved", "The missing batches arrived.")
    page = signed_in(UserRole.OPERATIONS).get(f"/alerts/{gap.pk}").content.decode()
    assert 'href="/sources/north?tab=batches"' in page


def test_a_file_that_is_read_a_second_time_after_a_crash_is_not_doubled(
    source: Source, drop: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run()
    put(drop, "SHIP_1.csv", table(1, 2))

    def fail(path: Path, subfolder: str) -> None:
        raise OSError(5, "killed")

    with monkeypatch.context() as patched:
        patched.setattr(file_drop, "_move_to_subfolder", fail)
        collect()
    collect()
    assert RepeatedBatch.objects.count() == 1
    assert run() == {}
    put(drop, "SHIP_1.csv", table(1, 2))  # its sender sends it once more
    collect()
    assert "came twice with the same content" in run()["batch_doubled"]


def test_a_retried_request_is_not_doubled_but_a_later_one_is(
    source: Source,
) -> None:
    run()
    message = IncomingMessage(source.pk, "key", {"content-type": "text/csv"}, table(1, 2))
    store_messages([message])
    store_messages([message])
    assert run() == {}
    RepeatedBatch.objects.update(received_at=database_now() + 2 * HOUR)
    assert "batch_doubled" in run()


def test_a_person_who_resolves_an_alert_about_a_file_does_not_see_it_open_again(
    source: Source, drop: Path
) -> None:
    run()
    put(drop, "SHIP_1.csv", table(1))
    collect()
    assert set(run()) == {"batch_short"}
    alert = Alert.objects.get(kind="batch_short")
    answer = signed_in(UserRole.OPERATIONS).post(f"/alerts/{alert.pk}/resolve", {"note": "known"})
    assert answer.status_code < 400
    assert run() == {}


def test_a_trailer_count_that_differs_is_short(source: Source) -> None:
    Source.objects.update(
        connector="cloudevents", config={**source.config, "batch_count": "field n"}
    )
    run()
    body = b'{"n": 3, "rows": [{}, {}]}'
    store_messages([IncomingMessage(source.pk, "1", {"x-file-name": "SHIP_1.csv"}, body)])
    assert run()["batch_short"] == (
        "SHIP_1.csv from NorthLog is incomplete: it declares 3 records and has 2"
    )


def test_interchanges_are_counted_and_numbered_without_further_settings(source: Source) -> None:
    Source.objects.update(connector="x12", config={"batch_every": "4 h"})
    run()
    body = interchange(7, sets=1, declared=2)
    store_messages([IncomingMessage(source.pk, "1", {"x-file-name": "a.edi"}, body)])
    assert run() == {
        "batch_short": "a.edi from NorthLog is incomplete: ST 850 0001: GE01 is '2', expected '1'"
    }
    [batch] = SourceBatch.objects.all()
    assert (batch.records, batch.series, batch.number) == (1, "BIGMART > ACME", "000000007")
    body = interchange(9, sets=1, declared=1)
    store_messages([IncomingMessage(source.pk, "2", {"x-file-name": "b.edi"}, body)])
    assert run()["batch_out_of_order"] == (
        "Batch 8 from NorthLog is missing: 000000009 came after 000000007"
    )


def interchange(number: int, *, sets: int, declared: int) -> bytes:
    orders = "".join(
        f"ST*850*{n:04}~BEG*00*SA*PO-{number}{n}**20260305~PO1*1*5*EA*9.90**VN*A-1~SE*4*{n:04}~"
        for n in range(1, sets + 1)
    )
    return (
        "ISA*00*          *00*          *ZZ*BIGMART        *ZZ*ACME           *260305*0915*U*00401"
        f"*{number:09}*0*P*>~GS*PO*BIGMART*ACME*20260305*0915*1*X*004010~{orders}"
        f"GE*{declared}*1~IEA*1*{number:09}~"
    ).encode()


def test_without_a_limit_of_its_own_a_source_with_a_schedule_is_never_silent(
    source: Source, monkeypatch: pytest.MonkeyPatch
) -> None:
    schedule = {"batch_at": source.config["batch_at"]}

    def limit() -> timedelta | None:
        run()
        return Source.objects.get().expect_every

    change_settings(source, {"batch_at": ""}, now=database_now())
    assert limit() == 26 * HOUR
    change_settings(source, schedule, now=database_now())
    assert limit() is None
    change_settings(source, {"batch_at": ""}, now=database_now())
    assert limit() == 26 * HOUR
    assert not BatchSchedule.objects.exists()
    with monkeypatch.context() as patched:  # a manifest that expects files
        patched.setattr(connectors_by_slug()["northlog_945"], "batch_defaults", schedule)
        assert limit() is None
        assert BatchSchedule.objects.get().settings["batch_at"] == schedule["batch_at"]
    assert limit() == 26 * HOUR


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"batch_at": "6 am"}, "'6 am' is not a time such as 06:00."),
        ({"batch_every": "4 h"}, "either the times or the interval"),
        ({"batch_days": "monday"}, "'monday' is not a day such as mon"),
        ({"batch_calendar": "none"}, "There is no calendar 'none'; the calendars are: "),
        ({"batch_number": "first"}, "'first' says no position"),
        ({"batch_count": "row TRL 9-2"}, "ends before it begins"),
    ],
)
def test_a_setting_that_is_invalid_says_why(
    source: Source, changes: dict[str, str], sentence: str
) -> None:
    with pytest.raises(InvalidSource) as raised:
        change_settings(source, changes, now=database_now())
    [error] = raised.value.errors
    assert (error.name, sentence in error.sentence) == (next(iter(changes)), True)


def test_the_page_and_the_api_list_batches_with_their_findings(source: Source, drop: Path) -> None:
    run()
    set_schedule_long_ago()
    put(drop, "SHIP_1.csv", table(1))
    collect()
    put(drop, "SHIP_2.csv", table(2, 3))
    put(drop, "SHIP_1 copy.csv", table(1))
    file_drop.collect_files(now=database_now())
    Source.objects.update(config={**source.config, "batch_number": ""})
    run()
    client = signed_in(UserRole.OPERATIONS)
    page = client.get("/sources/north?tab=batches").content.decode()
    message = SourceBatch.objects.get(file_name="SHIP_1.csv").message_id
    for text in ("SHIP_1.csv", "Has 1 record, at least 2 are expected", f"/messages/{message}"):
        assert text in page
    answer = client.get("/api/v1/sources/north/batches").json()
    assert [(item["file_name"], item["records"]) for item in answer["items"]] == [
        ("SHIP_2.csv", 2),
        ("SHIP_1.csv", 1),
    ]
    assert [(each["kind"], each["text"]) for each in answer["items"][1]["findings"]] == [
        ("batch_short", "has 1 record, at least 2 are expected"),
        (
            "batch_doubled",
            "SHIP_1 copy.csv has the same content as SHIP_1.csv: it was not read a second time",
        ),
    ]
    assert answer["expectation"].startswith("Batches are expected every day at ")


def test_older_batches_are_on_further_pages(source: Source) -> None:
    run()
    for n in range(1, 60):
        body = table(n, 1000 + n)
        headers = {"x-file-name": f"SHIP_{n}.csv"}
        store_messages([IncomingMessage(source.pk, str(n), headers, body)])
    run()
    client: Client = signed_in(UserRole.OPERATIONS)
    first = client.get("/api/v1/sources/north/batches").json()
    assert len(first["items"]) == 50
    second = client.get("/api/v1/sources/north/batches", {"cursor": first["next"]}).json()
    assert [item["number"] for item in second["items"]] == [str(n) for n in range(9, 0, -1)]
    assert second["next"] is None
    page = client.get("/sources/north?tab=batches").content.decode()
    assert f"before={first['items'][-1]['message']}" in page
