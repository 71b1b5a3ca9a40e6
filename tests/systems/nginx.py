"""`make test-systems`: the product behind nginx with TLS, with the configuration of the guide.

Not a part of the suite, which needs no nginx: pytest collects this file only by name. It fails
where nginx cannot be installed.
"""

import getpass
import re
import ssl
import subprocess
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import httpx2
import pytest
from playwright.sync_api import expect
from pytest_django.plugin import DjangoDbBlocker

from tests.browser.journeys.browser import chromium
from tests.browser.journeys.new_product import create_administrator, new_product
from tests.builders.cloudevents import authorized_headers, cloudevent
from tests.builders.localhost_certificate import write_certificate
from tests.product import ROOT, Product, free_port
from tests.systems.installing import install_browser, install_program
from visibility.db.database_time import database_now

pytestmark = pytest.mark.django_db
PASSWORD = "correct-horse-battery"
SECRET = "a-secret-of-more-than-24-bytes-for-wms"  # of a test
OTHER_CLIENT = "127.0.0.2"
MAIN = """
daemon off;
user {user};
worker_processes 1;
pid {folder}/nginx.pid;
error_log {folder}/error.log warn;
events {{ worker_connections 256; }}
http {{
    access_log off;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
{server}
}}
"""


@dataclass(frozen=True)
class ProxiedProduct:
    """A product, and the URL at which nginx serves it. `certificate`: the file with its CA."""

    product: Product
    url: str
    certificate: Path

    def client(self, *, address: str = "127.0.0.1") -> httpx2.Client:
        """A client that trusts the certificate, with a source address of its own."""
        context = ssl.create_default_context(cafile=str(self.certificate))
        transport = httpx2.HTTPTransport(verify=context, local_address=address)
        return httpx2.Client(transport=transport, base_url=self.url, timeout=20)


@pytest.fixture(scope="module")
def proxied(
    tmp_path_factory: pytest.TempPathFactory,
    django_db_setup: None,
    django_db_blocker: DjangoDbBlocker,
) -> Iterator[ProxiedProduct]:
    """A web server and a worker behind nginx."""
    install_browser()
    folder = tmp_path_factory.mktemp("proxied")
    port = free_port()
    url = f"https://localhost:{port}"
    environment = {
        "PUBLIC_URL": url,
        "ALLOWED_HOSTS": "localhost,127.0.0.1",
        "CSRF_TRUSTED_ORIGINS": url,
        "BEHIND_TLS": "1",
        "FORWARDED_ALLOW_IPS": "127.0.0.1",
    }
    with new_product(folder, django_db_blocker, ("web", "worker"), **environment) as product:
        create_administrator("ada", PASSWORD)
        product.manage("source", "add", "wms", "--connector", "cloudevents", "--secret", SECRET)
        certificate = write_certificate(folder, "orders")
        process = start_nginx(folder, port, product.port)
        try:
            yield ProxiedProduct(product, url, certificate)
        finally:
            process.terminate()
            process.wait(10)


def start_nginx(folder: Path, port: int, backend: int) -> "subprocess.Popen[bytes]":
    """Run nginx with the server of the guide, on these ports."""
    nginx = install_program("nginx")
    server = configuration_of_the_guide()
    for old, new in (
        ("listen 443 ssl;", f"listen 127.0.0.1:{port} ssl;"),
        ("/etc/ssl/orders.pem", f"{folder}/orders.pem"),
        ("/etc/ssl/orders.key", f"{folder}/orders.key"),
        ("http://127.0.0.1:8000;", f"http://127.0.0.1:{backend};"),
        ("server_name orders.example.com;", "server_name localhost;"),
    ):
        assert old in server, old
        server = server.replace(old, new)
    (folder / "nginx.conf").write_text(
        MAIN.format(folder=folder, user=getpass.getuser(), server=server)
    )
    process = subprocess.Popen([nginx, "-p", str(folder), "-c", str(folder / "nginx.conf")])
    for _ in range(100):
        assert process.poll() is None, (folder / "error.log").read_text()
        with suppress(httpx2.HTTPError):
            httpx2.get(f"https://localhost:{port}/healthz", verify=False)  # it listens
            return process
        time.sleep(0.1)
    raise AssertionError("nginx does not listen")


def configuration_of_the_guide() -> str:
    """The indented block below `nginx:` in the guide."""
    text = (ROOT / "docs" / "run.md").read_text()
    match = re.search(r"^nginx:\n\n((?:(?: {4}.*)?\n)+)", text, re.M)
    assert match
    return match[1]


def send_order(proxied: ProxiedProduct, number: str) -> None:
    """Send an order as a system does: through the proxy."""
    event = cloudevent(
        "order.received", {"order": {"number": number}}, event_id=number, at=database_now()
    )
    with proxied.client() as client:
        answer = client.post("/hooks/wms", json=event, headers=authorized_headers(SECRET))
    assert answer.status_code == 202, answer.text


def test_a_page_behind_the_proxy_is_live(proxied: ProxiedProduct) -> None:
    send_order(proxied, "SO-1")
    with chromium() as browser:
        context = browser.new_context(
            base_url=proxied.url, ignore_https_errors=True, reduced_motion="reduce"
        )
        page = context.new_page()
        sockets: list[str] = []
        problems: list[str] = []
        page.on("websocket", lambda socket: sockets.append(socket.url))
        page.on("console", lambda m: problems.append(m.text) if m.type == "error" else None)
        page.goto("/signin")
        page.fill("#username", "ada")
        page.fill("#password", PASSWORD)
        page.keyboard.press("Enter")
        expect(page.locator("nav.rail")).to_be_visible()
        cookie = next(c for c in context.cookies() if c["name"] == "sessionid")
        assert cookie["secure"]
        page.goto("/sources/wms")
        expect(page.locator("#freshness")).to_have_attribute("data-state", "live")
        counts = page.locator("#source-overview")
        expect(counts).to_contain_text("1 message in the last 24 hours")
        send_order(proxied, "SO-2")
        # Without a reload: the socket says that the source changed.
        expect(counts).to_contain_text("2 messages in the last 24 hours", timeout=30_000)
    assert sockets[0] == proxied.url.replace("https", "wss") + "/ws/live"
    assert problems == []


def test_the_product_knows_the_client_and_not_what_the_client_claims(
    proxied: ProxiedProduct,
) -> None:
    forged = {"x-forwarded-for": "203.0.113.9", "referer": f"{proxied.url}/signin"}
    with proxied.client(address=OTHER_CLIENT) as client:
        token = re.findall(r'name="csrfmiddlewaretoken" value="(\w+)"', client.get("/signin").text)
        form = {"username": "ada", "password": PASSWORD, "csrfmiddlewaretoken": token[0]}
        answer = client.post("/signin", data=form, headers=forged)
        assert answer.status_code == 302, answer.text
        account = client.get("/account").text
    assert OTHER_CLIENT in account
    assert "203.0.113.9" not in account


def test_large_files_pass_and_larger_ones_are_refused_by_the_proxy(
    proxied: ProxiedProduct,
) -> None:
    with proxied.client() as client:
        headers = authorized_headers(SECRET)
        refused = client.post("/hooks/wms", content=b"x" * (11 * 1024 * 1024), headers=headers)
        assert refused.status_code == 413
        # Below the limit of the proxy, the product answers.
        answer = client.post("/hooks/wms", content=b"x" * (2 * 1024 * 1024), headers=headers)
        assert answer.status_code == 413, (answer.status_code, answer.text)
        assert "nginx" not in answer.text
