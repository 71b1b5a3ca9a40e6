"""Processes that fail or do no work, and full disks: problems, readiness, metrics."""

import time
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from django.test import Client
from pytest_django.fixtures import Settings

from tests.builders.users import signed_in
from visibility.db.database_time import database_now
from visibility.ingest import file_drop, polling
from visibility.launcher.restart_pauses import ExitHistory
from visibility.models import Heartbeat
from visibility.models.heartbeats import SCHEDULER, WORKER
from visibility.operations.metrics import render_metrics
from visibility.operations.operational_problems import current_problems
from visibility.pipeline import heartbeats, job_functions
from visibility.pipeline.jobs import BY_NAME
from visibility.pipeline.tasks_and_fallback_loop import run_job_unless_running_then_next_job
from visibility.process_status import FILE_NAME, ProcessStatus, serialize_statuses
from visibility.web.permissions import UserRole

pytestmark = pytest.mark.django_db
Write = Callable[[ProcessStatus], None]


@pytest.fixture
def write_status(tmp_path: Path, settings: Settings) -> Write:
    """Write the status of a process as the supervisor does."""
    settings.DATA_DIR = tmp_path
    (tmp_path / "run").mkdir()

    def write(status: ProcessStatus) -> None:
        content = serialize_statuses([ProcessStatus("web"), status])
        (tmp_path / "run" / FILE_NAME).write_text(content)

    return write


def resting_worker(exits: int) -> ProcessStatus:
    clock = time.monotonic()
    return ProcessStatus("worker", exits, 3, failing_since=clock - 65, next_start_at=clock + 290)


def titles(now: datetime) -> list[str]:
    return [problem.title for problem in current_problems(now)]


def metrics(now: datetime) -> dict[str, float]:
    rows = [row for row in render_metrics(now).decode().splitlines() if not row.startswith("#")]
    return {name: float(value) for name, value in (row.rsplit(" ", 1) for row in rows)}


def test_resting_process_is_a_problem_with_its_next_attempt(
    write_status: Write, now: datetime
) -> None:
    write_status(resting_worker(6))
    (problem,) = current_problems(now)
    assert problem.title == "The process “worker” has been failing for 1 min"
    assert "It exited 6 times in a row (exit code 3). The next attempt is in 4 min." in problem.text
    page = signed_in(UserRole.INTEGRATOR).get("/sources").content.decode()
    assert problem.title in page
    answer = Client().get("/readyz")
    assert (answer.status_code, answer.json()["warnings"]) == (200, [problem.title])
    values = metrics(now)
    assert values['throughline_process_running{process="worker"}'] == 0
    assert values['throughline_process_running{process="web"}'] == 1
    assert values['throughline_process_exits_in_a_row{process="worker"}'] == 6
    assert 65 <= values['throughline_process_failing_seconds{process="worker"}'] < 120
    assert 230 < values['throughline_process_next_start_seconds{process="worker"}'] <= 290


def test_process_that_was_started_again_is_a_problem_until_it_has_recovered(
    write_status: Write, now: datetime
) -> None:
    write_status(replace(resting_worker(3), next_start_at=None))
    assert "It was just started again." in current_problems(now)[0].text
    history = ExitHistory()
    write_status(history.status("worker", None))
    assert current_problems(now) == []


def test_single_exit_is_no_problem(write_status: Write, now: datetime) -> None:
    write_status(resting_worker(1))
    assert current_problems(now) == []


@pytest.mark.parametrize(("name", "effect"), [(SCHEDULER, "Redis"), (WORKER, "not processed")])
def test_process_that_does_no_work_is_a_problem_within_two_minutes(
    now: datetime, name: str, effect: str
) -> None:
    for process in (SCHEDULER, WORKER):
        Heartbeat.objects.create(name=process, at=now)
    assert titles(now + timedelta(seconds=90)) == []
    Heartbeat.objects.filter(name=name).update(at=now - timedelta(seconds=11))
    assert titles(now + timedelta(seconds=90)) == [f"The {name} has done no work for 1 min"]
    Heartbeat.objects.filter(name=name).update(at=now - timedelta(seconds=125))
    (problem,) = current_problems(now)
    assert problem.title == f"The {name} has done no work for 2 min"
    assert effect in problem.text
    assert Client().get("/readyz").json()["warnings"] == [problem.title]
    assert metrics(now)[f'throughline_heartbeat_age_seconds{{process="{name}"}}'] == 125
    for path in ("/sources", "/alerts"):
        assert problem.title in signed_in(UserRole.OPERATIONS).get(path).content.decode()


def test_only_a_job_that_the_scheduler_sends_is_its_heartbeat() -> None:
    job = BY_NAME["scheduler_heartbeat"]
    assert (job.every, job.fallback) == (15, False)
    before = database_now()
    run_job_unless_running_then_next_job(job)
    assert Heartbeat.objects.get().name == SCHEDULER
    assert Heartbeat.objects.get().at >= before - timedelta(seconds=1)


def test_worker_heartbeat_needs_progress() -> None:
    heartbeats.record_worker_progress()
    assert not heartbeats.record_worker_progress()
    run_job_unless_running_then_next_job(BY_NAME["import_master_data"])
    assert not heartbeats.record_worker_progress()
    run_job_unless_running_then_next_job(BY_NAME["sweep"])
    assert heartbeats.record_worker_progress()
    assert Heartbeat.objects.filter(name=WORKER).exists()


def test_full_disk_is_one_problem_and_not_ready(
    settings: Settings, now: datetime, tmp_path: Path
) -> None:
    settings.DATA_DIR = settings.DATABASE_FOLDER = tmp_path
    settings.DISK_FLOOR = 2**60
    (problem, *_) = current_problems(now)
    assert problem.title.startswith("The disk of the data folder is full: ")
    assert "New messages are refused with 503" in problem.text
    assert not [title for title in titles(now) if "database" in title]
    answer = Client().get("/readyz")
    assert (answer.status_code, answer["Retry-After"]) == (503, "5")
    assert answer.json()["problem"].startswith("The disk of the data folder is full: ")
    assert metrics(now)['throughline_disk_free_bytes{folder="data"}'] > 0


@pytest.mark.parametrize("is_full", [True, False])
def test_nothing_is_polled_or_collected_onto_a_full_disk(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, is_full: bool
) -> None:
    settings.DATABASE_FOLDER = settings.DATA_DIR
    settings.DISK_FLOOR = 2**60 if is_full else 1
    calls: list[str] = []
    monkeypatch.setattr(polling, "claim_due_polls", lambda *_, **__: calls.append("poll"))
    monkeypatch.setattr(file_drop, "collect_files", lambda **_: calls.append("collect"))
    job_functions.claim_due_polls([], 8)
    job_functions.collect_files()
    assert calls == ([] if is_full else ["poll", "collect"])
