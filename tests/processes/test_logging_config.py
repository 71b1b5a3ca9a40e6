"""Logs of real processes: one event per line, logfmt or JSON, whichever library wrote it."""

import json
import os
import re
import socket
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from visibility.launcher.instance_lock_and_environment import CHECKOUT
from visibility.launcher.process_plan import scheduler_command, web_command

WRITES = r"""
import logging
import django
django.setup()
from structlog.stdlib import get_logger

log = get_logger("visibility.example")
log.info("message_stored", message=41, error="a \"b\"\r\nlevel=error forged\u2028end", none=None)
log.debug("not_logged")
log.warning("request_refused", source="wms", token="s3cret", headers={"Authorization": "s3cret"})
logging.getLogger("library").warning("two\nlines of %s", "text")
logging.getLogger("httpx2").info("GET https://erp.example/orders?token=s3cret")
try:
    password = "s3cret"
    raise ValueError("no\nnumber")
except ValueError:
    log.exception("message_failed", message=42)
    logging.getLogger("library").exception("failed")
"""
PAIR = re.compile(r'([\w.]+)=("(?:[^"\\]|\\.)*"|[^\s"]*)(?: |$)')


def log_output(*arguments: str, **environment: str) -> str:
    """What a Python process writes to its standard error."""
    done = subprocess.run(
        [sys.executable, *arguments],
        cwd=CHECKOUT,
        env={**os.environ, "DJANGO_SETTINGS_MODULE": "visibility.settings", **environment},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    return done.stderr


def logfmt(line: str) -> Mapping[str, str]:
    """The pairs of a line; it fails when anything else is in it."""
    pairs = PAIR.findall(line)
    assert PAIR.sub("", line) == "", line
    return {key: json.loads(value) if value.startswith('"') else value for key, value in pairs}


def test_every_event_is_one_line_of_keys_and_values() -> None:
    text = log_output("-c", WRITES)
    events = [logfmt(line) for line in text.splitlines()]
    for event in events:
        assert list(event)[:4] == ["timestamp", "level", "logger", "event"]
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d+Z", event["timestamp"])
    assert [(e["level"], e["logger"], e["event"]) for e in events] == [
        ("info", "visibility.example", "message_stored"),
        ("warning", "visibility.example", "request_refused"),
        ("warning", "library", "two\nlines of text"),
        ("error", "visibility.example", "message_failed"),
        ("error", "library", "failed"),
    ]
    assert events[0]["message"] == "41"
    assert events[0]["none"] == ""
    assert events[1]["source"] == "wms"
    for event in events[3:]:
        assert event["exception"].startswith("Traceback")
        assert event["exception"].endswith("ValueError: no\nnumber")


def test_json_has_the_same_events() -> None:
    events = [
        json.loads(line) for line in log_output("-c", WRITES, LOG_FORMAT="json").split("\n")[:-1]
    ]
    assert [event["event"] for event in events] == [
        "message_stored",
        "request_refused",
        "two\nlines of text",
        "message_failed",
        "failed",
    ]
    for event in events:
        assert list(event)[:4] == ["timestamp", "level", "logger", "event"]
    assert (events[0]["message"], events[0]["none"]) == (41, None)
    assert events[3]["exception"].endswith("ValueError: no\nnumber")


@pytest.mark.parametrize("log_format", ["logfmt", "json"])
def test_secrets_are_not_written(log_format: str) -> None:
    text = log_output("-c", WRITES, LOG_FORMAT=log_format)
    assert "request_refused" in text
    # The source line of the trace may name the variable; its value is in no line.
    assert "s3cret" not in text


def test_level_is_that_of_the_setting() -> None:
    text = log_output("-c", WRITES, LOG_LEVEL="ERROR")
    assert [logfmt(line)["level"] for line in text.splitlines()] == ["error", "error"]


def test_unknown_format_stops_the_start_with_a_sentence() -> None:
    text = log_output("-c", WRITES, LOG_FORMAT="xml")
    assert text.strip() == "LOG_FORMAT must be one of logfmt, json, not 'xml'"


def test_web_server_logs_in_the_same_format() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        # Python's own warnings (of a deprecated option) are no log events.
        arguments = web_command("127.0.0.1", taken.getsockname()[1])
        text = log_output("-m", *arguments, PYTHONWARNINGS="ignore")
    (event,) = [logfmt(line) for line in text.splitlines()]
    assert (event["level"], event["logger"]) == ("error", "uvicorn.error")
    assert "address already in use" in event["event"]


CELERY = """
import logging
from visibility.celery import {app} as app
app.log.setup(loglevel="WARNING", redirect_stdouts=True)
logging.getLogger("celery.beat").error("beat: connection error: %s", "refused")
logging.getLogger("celery.app.trace").info("Task visibility.fold succeeded")
"""


@pytest.mark.parametrize("app", ["app", "scheduler_app"])
def test_celery_logs_in_the_same_format(app: str) -> None:
    (event,) = [logfmt(line) for line in log_output("-c", CELERY.format(app=app)).splitlines()]
    assert (event["level"], event["logger"]) == ("error", "celery.beat")
    assert event["event"] == "beat: connection error: refused"


def test_scheduler_process_logs_in_the_same_format(tmp_path: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-m", *scheduler_command(str(tmp_path / "beat"))],
        cwd=CHECKOUT,
        env={**os.environ, "REDIS_URL": "redis://127.0.0.1:1/0"},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stderr
        line = process.stderr.readline().rstrip("\n")
        process.kill()
    assert logfmt(line)["logger"] == "celery.beat"
