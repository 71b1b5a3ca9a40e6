"""The table of jobs: each can run, and everything that names a job names one of it."""

import ast
import threading
import time
from collections.abc import Sequence
from inspect import signature
from pathlib import Path

import pytest
import yaml
from django.utils.module_loading import import_string

from visibility import celery
from visibility.launcher import process_plan
from visibility.pipeline import job_functions, tasks_and_fallback_loop
from visibility.pipeline.jobs import BY_NAME, JOBS
from visibility.pipeline.run_job_items_in_threads import ItemThreads

PACKAGE = Path(job_functions.__file__).parent.parent
COMPOSE = PACKAGE.parent / "docker-compose.yml"


def nudged_names() -> set[str]:
    """The name of every job that the product nudges, also through `to_thread`."""
    names = set()
    for path in PACKAGE.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if not isinstance(node, ast.Call):
                continue
            function, *arguments = [node.func, *node.args]
            if ast.unparse(function).endswith("to_thread") and arguments:
                function, *arguments = arguments
            if ast.unparse(function).rpartition(".")[2] == "ask_worker_to_run_job_now":
                names |= {
                    argument.value
                    for argument in arguments
                    if isinstance(argument, ast.Constant) and isinstance(argument.value, str)
                }
    return names


def test_every_job_names_a_function_without_arguments_or_with_one_claimed_item() -> None:
    for job in JOBS:
        assert _required_count(job.function) == bool(job.threads), job.name
        assert bool(job.threads) == bool(job.claim), job.name
        if job.claim:
            assert list(signature(import_string(job.claim)).parameters)[1] == "free_threads"


def _required_count(function: str) -> int:
    parameters = signature(import_string(function)).parameters.values()
    return sum(parameter.default is parameter.empty for parameter in parameters)


def test_items_run_in_parallel_and_one_that_raises_or_waits_delays_no_other() -> None:
    threads, release = ItemThreads[str]("test", 3), threading.Event()
    done: list[str] = []

    def run(item: str) -> None:
        if item == "raises":
            raise KeyError(item)
        if item == "waits":
            release.wait(10)
        done.append(item)

    def claim(running: Sequence[str], free: int) -> Sequence[str]:
        claimed = [item for item in pending if item not in running][:free]
        for item in claimed:
            pending.remove(item)
        return claimed

    pending = ["waits", "raises", "a", "b", "c"]
    assert threads.start_due_items(claim, run) == 3
    deadline = time.monotonic() + 10
    while pending and time.monotonic() < deadline:
        threads.start_due_items(claim, run)
        time.sleep(0.01)
    assert not threads.wait_until_idle(0.2)
    assert sorted(done) == ["a", "b", "c"]
    release.set()
    assert threads.wait_until_idle(10)
    assert done[-1] == "waits"


def test_every_job_is_a_registered_celery_task() -> None:
    assert {job.task_name for job in JOBS} <= set(celery.app.tasks)


def test_every_scheduled_task_is_a_registered_celery_task() -> None:
    scheduled = {entry["task"] for entry in celery.CONFIGURATION["beat_schedule"].values()}
    assert scheduled == {job.task_name for job in JOBS if job.every is not None}


def test_every_nudge_names_a_job() -> None:
    names = nudged_names()
    assert {"process", "refold", "deliver", "import_master_data"} <= names
    assert names <= set(BY_NAME)


def test_a_nudge_without_a_job_is_an_error() -> None:
    with pytest.raises(KeyError):
        job_functions.ask_worker_to_run_job_now("no_such_job")


def test_the_workers_listen_to_every_queue() -> None:
    queues = {job.queue for job in JOBS}
    worker = yaml.safe_load(COMPOSE.read_text())["services"]["worker"]["command"]
    assert set(worker[worker.index("--queues") + 1].split(",")) == queues
    assert any(set(argument.split(",")) == queues for argument in process_plan.WORKER_COMMAND)


def test_a_job_that_is_running_is_not_started_again(monkeypatch: pytest.MonkeyPatch) -> None:
    runs: list[str] = []

    def collect() -> None:
        runs.append("started")
        tasks_and_fallback_loop.run_job_unless_running_then_next_job(BY_NAME["collect_files"])

    monkeypatch.setattr(job_functions, "collect_files", collect)
    tasks_and_fallback_loop.run_job_unless_running_then_next_job(BY_NAME["collect_files"])
    assert runs == ["started"]
