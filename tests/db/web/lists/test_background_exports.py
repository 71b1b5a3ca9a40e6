"""Large CSV exports: written by a worker, for their owner only, stored for seven days."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import psycopg
import pytest
from django.contrib.auth.models import Group
from django.test import Client

from tests.builders.listed_orders import create_orders_with_ties_and_gaps, read_csv_export
from tests.builders.users import signed_in, user_of_role
from visibility.db.database_time import database_now
from visibility.export import background_exports, list_files
from visibility.models import AuditEntry, BackgroundExport, BackgroundExportChunk
from visibility.pipeline.jobs import BY_NAME
from visibility.pipeline.shutdown_flag import stopping
from visibility.pipeline.tasks_and_fallback_loop import run_job_unless_running_then_next_job
from visibility.web import background_exports as web_exports
from visibility.web.intake.source_cache import conninfo
from visibility.web.permissions import UserRole

pytestmark = pytest.mark.django_db
WRITE, DELETE = BY_NAME["write_background_exports"], BY_NAME["delete_expired_exports"]


@pytest.fixture
def olga(monkeypatch: pytest.MonkeyPatch) -> Client:
    """Operations, who sees prices and names; more than four rows are many here."""
    monkeypatch.setattr(web_exports, "MAX_DIRECT_ROWS", 4)
    monkeypatch.setattr(list_files, "CHUNK_SIZE", 2)
    monkeypatch.setattr(background_exports, "FILE_CHUNK_SIZE", 100)
    return signed_in(UserRole.OPERATIONS, "olga")


def request_export(client: Client, query: str = "sort=number") -> BackgroundExport:
    response = client.get(f"/orders/export?format=csv&{query}")
    assert (response.status_code, response.headers["location"]) == (302, "/exports")
    return BackgroundExport.objects.latest("id")


def run_worker() -> None:
    run_job_unless_running_then_next_job(WRITE)


def page(client: Client, address: str) -> str:
    response = client.get(address)
    assert response.status_code == 200, address
    return response.content.decode()


def test_file_of_the_worker_equals_the_direct_one(
    olga: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    create_orders_with_ties_and_gaps(7)
    export = request_export(olga)
    assert "Waiting for a worker" in page(olga, "/exports")
    assert '<div class="flashes" id="export-notices" data-live="export">' in page(olga, "/orders")
    other = signed_in(UserRole.OPERATIONS, "otto")
    assert '<div class="flashes" id="export-notices">' in page(other, "/orders")
    assert f"/exports/{export.pk}/file" not in page(olga, "/exports")
    assert olga.get(f"/exports/{export.pk}/file").status_code == 404
    run_worker()
    assert "Your export of orders is ready." in page(olga, "/orders")
    shown = page(olga, "/exports")
    assert f'href="/exports/{export.pk}/file"' in shown
    assert ">7</td>" in shown
    assert "Your export of orders is ready." not in page(olga, "/orders")
    heading, rows = read_csv_export(olga.get(f"/exports/{export.pk}/file"))
    monkeypatch.setattr(web_exports, "MAX_DIRECT_ROWS", 50_000)
    direct_heading, direct_rows = read_csv_export(olga.get("/orders/export?format=csv&sort=number"))
    assert rows == direct_rows
    assert len(rows) == 7
    assert heading | {"As of": ""} == direct_heading | {"As of": ""}
    assert BackgroundExportChunk.objects.filter(export=export).count() > 1
    entry = AuditEntry.objects.get(detail__background_export=export.pk)
    assert (entry.action, entry.object) == ("export", "7 orders")
    assert entry.user
    assert entry.user.username == "olga"


def test_up_to_the_limit_and_xlsx_are_direct(olga: Client) -> None:
    create_orders_with_ties_and_gaps(4)
    assert olga.get("/orders/export?format=csv").status_code == 200
    create_orders_with_ties_and_gaps(1)
    assert olga.get("/orders/export?format=xlsx").status_code == 200
    assert not BackgroundExport.objects.exists()


def test_export_by_api_has_its_progress_and_file(olga: Client) -> None:
    create_orders_with_ties_and_gaps(6)
    answer = olga.get("/api/v1/orders/export?format=csv&status=released&status=shipped")
    assert answer.status_code == 202
    number = answer.json()["id"]
    assert (answer.json()["state"], answer.json()["rows_total"]) == ("waiting", None)
    assert olga.get(f"/api/v1/exports/{number}/file").status_code == 409
    run_worker()
    assert olga.get(f"/api/v1/exports/{number}").json()["state"] == "ready"
    assert [each["id"] for each in olga.get("/api/v1/exports").json()["items"]] == [number]
    heading, rows = read_csv_export(olga.get(f"/api/v1/exports/{number}/file"))
    assert len(rows) == 6
    assert heading["Filters"] == ("Order status: Released to the warehouse; Order status: Shipped")
    removed = olga.delete(f"/api/v1/exports/{number}", {}, "application/json")
    assert (removed.status_code, removed.json()["id"]) == (200, number)
    assert olga.get(f"/api/v1/exports/{number}").status_code == 404
    assert not BackgroundExportChunk.objects.exists()


def test_only_the_owner_sees_downloads_and_deletes(olga: Client) -> None:
    create_orders_with_ties_and_gaps(6)
    export = request_export(olga)
    run_worker()
    for other in (signed_in(UserRole.OPERATIONS, "otto"), signed_in(UserRole.ADMIN)):
        assert f"/exports/{export.pk}/" not in page(other, "/exports")
        assert other.get("/api/v1/exports").json()["items"] == []
        assert other.get(f"/exports/{export.pk}/file").status_code == 404
        assert other.get(f"/api/v1/exports/{export.pk}/file").status_code == 404
        assert other.post(f"/exports/{export.pk}/delete").status_code == 404
    assert signed_in(UserRole.CUSTOMER_SERVICE).get("/exports").status_code == 403
    olga.post(f"/exports/{export.pk}/delete")
    assert not BackgroundExport.objects.exists()


def become(name: str, role: UserRole) -> None:
    user_of_role(UserRole.OPERATIONS, name).groups.set(
        [Group.objects.get_or_create(name=role.value)[0]]
    )


def test_download_checks_the_permissions_again(olga: Client) -> None:
    create_orders_with_ties_and_gaps(6)
    export = request_export(olga)
    run_worker()
    become("olga", UserRole.CUSTOMER_SERVICE)
    assert olga.get(f"/exports/{export.pk}/file").status_code == 403
    assert olga.get(f"/api/v1/exports/{export.pk}/file").status_code == 403
    become("olga", UserRole.INTEGRATOR)
    refused = olga.get(f"/exports/{export.pk}/file")
    assert refused.status_code == 403
    assert "Your role can only search orders by number" in refused.content.decode()
    become("olga", UserRole.OPERATIONS)
    assert olga.get(f"/exports/{export.pk}/file").status_code == 200


def test_file_has_prices_and_names_only_by_permission(olga: Client) -> None:
    """Messages are exported by roles that see neither; the mask is that of direct exports."""
    create_orders_with_ties_and_gaps(6)
    export = request_export(olga)
    blind = [code for code in export.permissions if code not in {"prices", "contacts"}]
    BackgroundExport.objects.update(permissions=blind)
    run_worker()
    _, rows = read_csv_export(olga.get(f"/exports/{export.pk}/file"))
    assert "Order value" not in rows[0]
    assert {row["Customer"] for row in rows} == {"C0", "C1", "C2"}


def test_person_who_lost_the_permission_meanwhile_gets_no_file(olga: Client) -> None:
    create_orders_with_ties_and_gaps(6)
    export = request_export(olga)
    become("olga", UserRole.CUSTOMER_SERVICE)
    run_worker()
    export.refresh_from_db()
    assert (export.state, export.detail) == ("failed", "You may no longer export this list.")
    assert not BackgroundExportChunk.objects.exists()


def interrupted(
    monkeypatch: pytest.MonkeyPatch, error: type[BaseException], *, before: Callable[[], Any]
) -> None:
    """Run the worker, which dies after its first chunk of rows."""
    original = background_exports._progress_reporter

    def dying(export: BackgroundExport) -> Callable[[int, int], None]:
        report = original(export)

        def report_and_die(rows: int, total: int) -> None:
            report(rows, total)
            before()
            raise error

        return report_and_die

    with monkeypatch.context() as patch:
        patch.setattr(background_exports, "_progress_reporter", dying)
        with pytest.raises(error):
            background_exports.write_background_exports()


class KilledWorker(BaseException):
    """Simulates the end of the process."""


def test_export_of_a_killed_worker_is_taken_up_and_there_is_one_file(
    olga: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    create_orders_with_ties_and_gaps(7)
    export = request_export(olga)
    seen: list[str] = []
    interrupted(monkeypatch, KilledWorker, before=lambda: seen.append(page(olga, "/exports")))
    assert "2 of 7" in seen[0]
    assert '<progress max="7" value="2"' in seen[0]
    export.refresh_from_db()
    assert (export.state, export.attempt, export.rows_written) == ("running", 1, 2)
    run_worker()
    export.refresh_from_db()
    assert (export.state, export.attempt) == ("ready", 2)
    _, rows = read_csv_export(olga.get(f"/exports/{export.pk}/file"))
    assert len(rows) == 7


@pytest.mark.django_db(transaction=True)
def test_progress_is_visible_to_others_while_the_file_is_written(
    olga: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    create_orders_with_ties_and_gaps(7)
    export = request_export(olga)
    seen: list[Any] = []

    def read_progress() -> None:
        with psycopg.connect(conninfo()) as other:
            statement = "SELECT state, rows_written, rows_total FROM visibility_backgroundexport"
            seen.append(other.execute(statement).fetchone())

    interrupted(monkeypatch, KilledWorker, before=read_progress)
    assert seen == [("running", 2, 7)]
    run_worker()
    export.refresh_from_db()
    assert (export.state, export.rows_total) == ("ready", 7)


@pytest.mark.parametrize(("other_finishes", "attempts"), [(True, 2), (False, 3)])
def test_worker_whose_attempt_was_taken_over_stores_nothing(
    olga: Client, monkeypatch: pytest.MonkeyPatch, attempts: int, *, other_finishes: bool
) -> None:
    """The first worker lost its connection and its lock, but goes on: the second one wins."""
    create_orders_with_ties_and_gaps(7)
    export = request_export(olga)
    original = background_exports._store_file
    taken: list[bool] = []

    def store_after_the_other(*args: Any) -> None:
        if not taken:
            taken.append(True)
            claimed = background_exports._claim_next_export()
            assert claimed is not None
            if other_finishes:
                background_exports._attempt(claimed)
        original(*args)

    monkeypatch.setattr(background_exports, "_store_file", store_after_the_other)
    run_worker()
    export.refresh_from_db()
    assert (export.state, export.attempt, export.detail) == ("ready", attempts, "")
    numbers = BackgroundExportChunk.objects.values_list("number", flat=True)
    assert sorted(numbers) == list(range(len(numbers)))
    assert AuditEntry.objects.filter(detail__background_export=export.pk).count() == 1


def test_deleted_export_is_not_stored_by_its_worker(
    olga: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    create_orders_with_ties_and_gaps(7)
    export = request_export(olga)
    original = background_exports._store_file

    def store_after_deletion(*args: Any) -> None:
        olga.post(f"/exports/{export.pk}/delete")
        original(*args)

    monkeypatch.setattr(background_exports, "_store_file", store_after_deletion)
    run_worker()
    assert not BackgroundExport.objects.exists()
    assert not BackgroundExportChunk.objects.exists()


def test_shutdown_is_no_attempt_and_a_failing_export_ends(
    olga: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    create_orders_with_ties_and_gaps(6)
    export = request_export(olga)
    with monkeypatch.context() as patch:
        # The shutdown begins when the export has been claimed.
        patch.setattr(
            stopping,
            "is_set",
            lambda: BackgroundExport.objects.filter(state="running").exists(),
        )
        run_worker()
    export.refresh_from_db()
    assert (export.state, export.attempt) == ("waiting", 0)

    def fail(*_: Any) -> None:
        raise OSError("disk full")

    monkeypatch.setattr(background_exports, "_store_file", fail)
    run_worker()
    export.refresh_from_db()
    assert (export.state, export.attempt) == ("failed", background_exports.MAX_ATTEMPTS)
    assert "It failed 4 times" in page(olga, "/exports")
    assert "Your export of orders failed." not in page(olga, "/orders")  # seen at /exports


def test_expired_files_are_removed_by_the_scheduler(olga: Client) -> None:
    create_orders_with_ties_and_gaps(6)
    expired, stored = request_export(olga), request_export(olga)
    run_worker()
    stored.refresh_from_db()
    assert stored.expires_at
    assert stored.finished_at
    assert stored.expires_at - stored.finished_at == timedelta(days=7)
    BackgroundExport.objects.filter(pk=expired.pk).update(
        expires_at=database_now() - timedelta(seconds=1)
    )
    run_job_unless_running_then_next_job(DELETE)
    assert list(BackgroundExport.objects.values_list("pk", flat=True)) == [stored.pk]
    assert set(BackgroundExportChunk.objects.values_list("export_id", flat=True)) == {stored.pk}


def test_person_has_a_limited_number_in_progress(olga: Client) -> None:
    create_orders_with_ties_and_gaps(6)
    for _ in range(background_exports.MAX_IN_PROGRESS):
        request_export(olga)
    response = olga.get("/orders/export?format=csv", follow=True)
    assert "You have 5 exports in progress." in response.content.decode()
    assert olga.get("/api/v1/orders/export?format=csv").status_code == 409
    assert BackgroundExport.objects.count() == background_exports.MAX_IN_PROGRESS


def test_exports_are_paged(olga: Client) -> None:
    owner = user_of_role(UserRole.OPERATIONS, "olga")
    for _ in range(51):
        BackgroundExport.objects.create(
            list="orders",
            query="",
            columns=[],
            owner=owner,
            permissions=[],
            state="failed",
            requested_at=database_now(),
        )
    first = page(olga, "/exports")
    assert first.count("/delete") == 50
    following = first.partition("/exports?before=")[2].partition('"')[0]
    assert page(olga, f"/exports?before={following}").count("/delete") == 1
