"""The EPCIS capture interface over real HTTP: 202 with the Location of a capture job."""

import time
from collections.abc import Iterator

import httpx2
import orjson
import pytest
from pytest_django.plugin import DjangoDbBlocker

from tests.builders.epcis import epcis_document, epcis_event
from tests.empty_tables import empty_tables
from tests.product import Product

pytestmark = pytest.mark.django_db
SECRET = "a-secret-of-at-least-24-bytes"
HEADERS = {"authorization": f"Bearer {SECRET}-epcis", "content-type": "application/ld+json"}


@pytest.fixture(scope="module")
def product(
    tmp_path_factory: pytest.TempPathFactory,
    django_db_setup: None,
    django_db_blocker: DjangoDbBlocker,
) -> Iterator[Product]:
    """Start the web process and a worker with two sources."""
    with django_db_blocker.unblock():
        running = Product(tmp_path_factory.mktemp("epcis"))
        for slug, connector in (("epcis", "epcis"), ("generic", "cloudevents")):
            running.manage(
                "source", "add", slug, "--connector", connector, "--secret", f"{SECRET}-{slug}"
            )
        running.start("web")
        running.start("worker")
        yield running
        running.stop()
        empty_tables()


@pytest.fixture
def client(product: Product) -> Iterator[httpx2.Client]:
    """Return an HTTP client for the web process."""
    with httpx2.Client(base_url=product.url, timeout=15) as http_client:
        yield http_client


def finished_job(client: httpx2.Client, location: str) -> dict[str, object]:
    deadline = time.monotonic() + 30
    while True:
        response = client.get(location, headers=HEADERS)
        assert response.status_code == 200
        job: dict[str, object] = response.json()
        if not job["running"] or time.monotonic() > deadline:
            return job
        time.sleep(0.2)


@pytest.mark.slow
def test_a_capture_is_answered_with_its_job(client: httpx2.Client) -> None:
    body = orjson.dumps(epcis_document(epcis_event("shipping", po="SO-1")))
    response = client.post("/hooks/epcis/capture", content=body, headers=HEADERS)
    assert response.status_code == 202
    assert response.headers["gs1-epcis-version"] == "2.0.0"
    location = response.headers["location"]
    assert location.startswith("/hooks/epcis/capture/")
    job = finished_job(client, location)
    assert (job["success"], job["errors"]) == (True, [])
    repeated = client.post("/hooks/epcis/capture", content=body, headers=HEADERS)
    assert (repeated.json()["status"], repeated.headers["location"]) == ("duplicate", location)


@pytest.mark.slow
def test_a_job_says_why_a_document_is_not_applied(client: httpx2.Client) -> None:
    body = orjson.dumps(epcis_document(epcis_event("shipping", po="SO-2", at="soon")))
    response = client.post("/hooks/epcis/capture", content=body, headers=HEADERS)
    job = finished_job(client, response.headers["location"])
    assert job["success"] is False
    assert "soon" in str(job["errors"])


def test_jobs_need_the_secret_and_are_those_of_the_source(client: httpx2.Client) -> None:
    other = {"authorization": f"Bearer {SECRET}-generic"}
    assert client.get("/hooks/epcis/capture/1").status_code == 401
    assert client.get("/hooks/epcis/capture/1", headers=other).status_code == 401
    for job in ("999999", "x", "9" * 30):
        assert client.get(f"/hooks/epcis/capture/{job}", headers=HEADERS).status_code == 404
    assert client.post("/hooks/epcis/capture/1", headers=HEADERS).status_code == 405
    assert client.get("/hooks/epcis/capture", headers=HEADERS).status_code == 405
    assert client.post("/hooks/epcis/events", headers=HEADERS).status_code == 404
    assert client.post("/hooks/generic/capture", headers=other).status_code == 404
