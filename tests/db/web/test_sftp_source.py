"""A source that reads an SFTP server: connected, tested and confirmed in the browser and by API."""

import re
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import asyncssh
import pytest
from django.test import Client
from pytest_django.fixtures import Settings

from tests.builders.sftp_server import PASSWORD, USER, SftpTestServer, running_sftp_server
from tests.builders.users import signed_in
from visibility.db.database_time import database_now
from visibility.ingest import polling
from visibility.models import InboundMessage, Source
from visibility.screens.sources.newest_requests import list_newest_requests
from visibility.web.permissions import UserRole

pytestmark = pytest.mark.django_db(transaction=True)
ORDER = b"ST*850*0001~BEG*00*SA*PO-77**20260302~PO1*1*5*EA*9.90**VN*A-1~SE*4*0001~"
JSON = "application/json"


@pytest.fixture
def integrator() -> Client:
    return signed_in(UserRole.INTEGRATOR, "ines")


@pytest.fixture
def server(tmp_path: Path, settings: Settings) -> Iterator[SftpTestServer]:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "po.edi").write_bytes(ORDER)
    with running_sftp_server(tmp_path) as running:
        settings.OUTGOING_ALLOWED = {f"127.0.0.1:{running.port}"}
        yield running


def connect(integrator: Client, server: SftpTestServer, **given: str) -> None:
    """Connect the source over the API."""
    settings = {
        "sftp_host": "127.0.0.1",
        "sftp_port": str(server.port),
        "sftp_user": USER,
        "sftp_password": PASSWORD,
        "sftp_folder": "out",
        **given,
    }
    body = {"slug": "edi", "connector": "x12", "settings": settings}
    response = integrator.post("/api/v1/sources", body, JSON)
    assert response.status_code == 201, response.content


def test_a_person_confirms_the_host_key_on_the_first_test(
    integrator: Client, server: SftpTestServer
) -> None:
    connect(integrator, server)
    settings_page = integrator.get("/sources/edi?tab=settings").content.decode()
    assert "Nobody has confirmed the host key" in settings_page
    assert "Jobs" in settings_page
    assert "Test connection" in integrator.get("/sources/edi?tab=requests").content.decode()
    page = integrator.post("/sources/edi/test-poll").content.decode()
    assert server.fingerprint.replace("+", "&#x2B;") in page or server.fingerprint in page
    form = page[page.index("Confirm this host key") - 900 : page.index("Confirm this host key")]
    posted = dict(re.findall(r'name="(seen|sftp_host_key)" value="([^"]*)"', form))
    assert posted["sftp_host_key"] == server.fingerprint
    assert server.passwords == []
    assert integrator.post("/sources/edi/settings", posted).status_code == 302
    assert Source.objects.get().config["sftp_host_key"] == server.fingerprint
    page = integrator.post("/sources/edi/test-poll").content.decode()
    assert "1 new file read" in page
    assert "po.edi" in page
    assert "order.received" in page
    assert "Confirm this host key" not in page
    assert not InboundMessage.objects.exists()
    assert (
        "Nobody has confirmed" not in integrator.get("/sources/edi?tab=settings").content.decode()
    )


def test_the_api_returns_the_host_key_and_never_the_password(
    integrator: Client, server: SftpTestServer
) -> None:
    connect(integrator, server)
    url = "/api/v1/sources/edi"
    answer = integrator.post(f"{url}/test-poll", {}, JSON).json()
    assert (answer["host_key"], answer["records"]) == (server.fingerprint, 0)
    body = {"settings": {"sftp_host_key": answer["host_key"]}}
    assert integrator.patch(f"{url}/settings", body, JSON).status_code == 200
    answer = integrator.post(f"{url}/test-poll", {}, JSON).json()
    assert (answer["host_key"], answer["error"], answer["records"]) == ("", "", 1)
    stored = integrator.get(f"{url}/settings").content.decode()
    assert "sftp_password" in stored
    for text in (stored, integrator.get("/sources/edi?tab=settings").content.decode()):
        assert PASSWORD not in text
    source = Source.objects.get()
    assert PASSWORD not in f"{source.config} {source.sealed_secrets}"
    # A changed password is entered once more; other settings leave it.
    body = {"settings": {"sftp_pattern": "*.edi"}}
    assert integrator.patch(f"{url}/settings", body, JSON).status_code == 200
    assert integrator.post(f"{url}/test-poll", {}, JSON).json()["records"] == 1


def test_a_private_key_is_entered_with_its_line_ends(
    integrator: Client, server: SftpTestServer
) -> None:
    connect(integrator, server, sftp_host_key=server.fingerprint)
    key = asyncssh.generate_private_key("ssh-rsa", key_size=4096)
    server.authorized = {key.get_fingerprint()}
    page = integrator.get("/sources/edi?tab=settings").content.decode()
    assert re.search(r'<textarea[^>]+name="sftp_private_key"', page)
    seen = re.search(r'name="seen" value="([^"]+)"', page[page.index('id="settings-form"') :])
    assert seen is not None
    text = key.export_private_key().decode().replace("\n", "\r\n")
    posted = {"seen": seen[1], "sftp_private_key": text, "remove-secret:sftp_password": "yes"}
    response = integrator.post("/sources/edi/settings", {**posted, "sftp_password": ""})
    assert response.status_code == 302, response.content.decode()[-3_000:]
    answer = integrator.post("/api/v1/sources/edi/test-poll", {}, JSON).json()
    assert (answer["error"], answer["records"]) == ("", 1)
    assert server.passwords == []


def test_pages_say_where_a_file_came_from(integrator: Client, server: SftpTestServer) -> None:
    connect(integrator, server, sftp_host_key=server.fingerprint)
    now = database_now()
    for at in (now, now + timedelta(minutes=2)):
        for claimed in polling.claim_due_polls(at, limit=5, slow_limit=5):
            polling.poll_source(claimed, now=at)
    message = InboundMessage.objects.get()
    (entry,) = list_newest_requests(Source.objects.get())
    assert entry.verification == "Read from the SFTP folder"
    page = integrator.get(f"/messages/{message.pk}").content.decode()
    assert f"sftp://127.0.0.1:{server.port}/out" in page
    jobs = integrator.get("/sources/edi?tab=jobs").content.decode()
    assert jobs.count('data-title="New messages"') == 2


def test_settings_that_contradict_each_other_are_named_on_the_form(integrator: Client) -> None:
    settings = {"sftp_host": "files.example.com", "sftp_user": "u"}
    body = {"slug": "edi", "connector": "x12", "settings": settings}
    response = integrator.post("/api/v1/sources", body, JSON)
    assert response.status_code == 400
    assert "Enter a password or a private key." in response.content.decode()
