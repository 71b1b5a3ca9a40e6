"""What disturbs everybody else: one event of many packages, and many people who sign in at once."""

import re
import threading
from concurrent.futures import ThreadPoolExecutor

import httpx2
import orjson
from django.contrib.auth.models import Group, User

from connectors.sdk.check_event_size_limits import MAX_REFERENCES
from tests.bench import workload
from tests.bench.environment import BenchEnvironment
from tests.bench.report import ReportLine, Sample, percentile
from tests.bench.sizes import BenchSize
from tests.bench.visibility_latency import RATE, milliseconds_until_visible
from tests.builders.cloudevents import cloudevent
from visibility.web.permissions import UserRole

PASSWORD = "a-long-passphrase-of-the-bench"
WEBHOOKS_PER_SECOND = 60
CSRF = re.compile(r'name="csrfmiddlewaretoken" value="([^"]+)"')


def measure_many_packages(stage: BenchEnvironment, size: BenchSize) -> list[ReportLine]:
    """Measure messages until they are visible, alone and beside events of many packages.

    One event has more packages than the product accepts, another one as many as it accepts.
    """
    stage.start_web()
    stage.start_worker()
    stage.start_scheduler()
    milliseconds_until_visible(stage, 1, "V")
    seconds = size.packages_messages / RATE
    alone = milliseconds_until_visible(stage, seconds, "P")
    sender = threading.Thread(target=_send_large_events, args=(stage, size.packages))
    sender.start()
    beside = milliseconds_until_visible(stage, seconds, "Q")
    sender.join()
    stage.product.stop("worker", "scheduler")
    return [_line("packages", alone, beside, 0.95, f"{size.packages} packages in one event")]


def _send_large_events(stage: BenchEnvironment, packages: int) -> None:
    for count in (packages, min(packages, MAX_REFERENCES - 10)):
        data = {
            "order": {"number": f"SO-LARGE-{count}"},
            "shipment": f"S-LARGE-{count}",
            "packages": [f"1Z{count:05}{n:09}" for n in range(count)],
        }
        event = cloudevent("shipment.confirmed", data, event_id=f"large-{count}", source="/large")
        response = httpx2.post(
            f"http://127.0.0.1:{stage.port}/api/v1/events",
            content=orjson.dumps(event),
            headers={
                "authorization": f"Bearer {workload.SECRET}",
                "content-type": "application/cloudevents+json",
            },
        )
        response.raise_for_status()


def measure_sign_ins(stage: BenchEnvironment, size: BenchSize) -> list[ReportLine]:
    """Measure response times of webhooks, alone and while people sign in at the same time."""
    stage.start_web()
    _create_people(size.sign_ins)
    _webhook_waits(stage, size, "W")
    alone = _webhook_waits(stage, size, "R")
    with ThreadPoolExecutor(size.sign_ins) as pool:
        people = [pool.submit(_sign_in, stage, f"person{n}") for n in range(size.sign_ins)]
        beside = _webhook_waits(stage, size, "S")
        refused = sum(not person.result() for person in people)
    cause = f"{size.sign_ins} sign-ins at once, {refused} of them asked to try again"
    return [_line("sign_ins", alone, beside, 0.99, cause)]


def _create_people(count: int) -> None:
    operations = Group.objects.get_or_create(name=UserRole.OPERATIONS.value)[0]
    first = User.objects.create_user("person0", password=PASSWORD)
    names = (f"person{n}" for n in range(1, count))
    others = User.objects.bulk_create(User(username=n, password=first.password) for n in names)
    for user in (first, *others):
        user.groups.add(operations)


def _sign_in(stage: BenchEnvironment, name: str) -> bool:
    """Sign in by the form, as a browser does. Return False if the server asks to try again."""
    with httpx2.Client(base_url=f"http://127.0.0.1:{stage.port}", timeout=120) as client:
        token = CSRF.search(client.get("/signin").text)
        assert token
        form = {"username": name, "password": PASSWORD, "csrfmiddlewaretoken": token[1]}
        answer = client.post("/signin", data=form)
        if answer.status_code not in {302, 503}:
            raise RuntimeError(f"{name} could not sign in: {answer.status_code}")
        return answer.status_code == 302


def _webhook_waits(stage: BenchEnvironment, size: BenchSize, prefix: str) -> list[float]:
    """Milliseconds until the response, from when each request was due."""
    orders = max(int(WEBHOOKS_PER_SECOND * size.seconds / len(workload.STEPS)), 1)
    run = stage.run_load(
        stage.port, stage.product, prefix=prefix, orders=orders, rate=WEBHOOKS_PER_SECOND
    )
    return [1000 * wait for wait in run.waits]


def _line(
    code: str, alone: list[float], beside: list[float], share: float, cause: str
) -> ReportLine:
    undisturbed, disturbed = percentile(alone, share), percentile(beside, share)
    note = f"{cause}; {disturbed / undisturbed:.2f}x the value without"
    return ReportLine(code, Sample.of([disturbed]), note=note)
