"""`make lighthouse`: Lighthouse scores of the pages of a running demo.

Not a part of the suite, which needs neither Node nor npm: pytest collects this file only by name.
"""

import json
import os
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from pytest_django.plugin import DjangoDbBlocker

from tests.browser.journeys.running_demo import RunningDemo, run_demo
from tests.builders.users import signed_in
from visibility.launcher import find_browser
from visibility.web.permissions import UserRole

# The last version that runs on Node 20.
VERSION = "12.8.2"
MIN_SCORES = {"accessibility": 1.0, "best-practices": 0.95}
LAYOUT_SHIFT, MAX_LAYOUT_SHIFT = "cumulative-layout-shift", 0.05
LIMIT_SECONDS = 180
PAGES: Mapping[str, str] = {
    "board": "/boards/operations",
    "orders": "/orders",
    "order": "/orders/{order}",
    "alerts": "/alerts",
    "alert": "/alerts/{alert}",
    "kpis": "/numbers",
    "kpi": "/numbers/fill_rate",
    "sources": "/sources",
    "source": "/sources/wms",
    "messages": "/messages",
    "mappings": "/mappings",
    "unmatched": "/joins",
    "people": "/people",
    "sign-in": "/signin",
}
SIGNED_OUT = {"sign-in"}


@dataclass(frozen=True)
class LighthouseTools:
    """Paths of the Lighthouse command and of the browser that it starts."""

    lighthouse: Path
    browser: str

    def report(self, url: str, headers: Mapping[str, str], folder: Path) -> Mapping[str, Any]:
        """Run Lighthouse on a page as on a desktop and return its report."""
        output = folder / "report.json"
        command = [
            str(self.lighthouse),
            url,
            "--preset=desktop",
            f"--only-categories={','.join(MIN_SCORES)}",
            f"--only-audits={LAYOUT_SHIFT}",
            f"--chrome-flags=--headless=new {' '.join(find_browser.BROWSER_FLAGS)}",
            f"--extra-headers={json.dumps(headers)}",
            "--output=json",
            f"--output-path={output}",
            # An open socket keeps Lighthouse from noticing that the page has loaded.
            "--max-wait-for-load=15000",
            "--disable-full-page-screenshot",
            "--quiet",
            "--no-enable-error-reporting",
        ]
        completed = subprocess.run(
            command,
            env={**os.environ, "CHROME_PATH": self.browser},
            capture_output=True,
            text=True,
            check=False,
            timeout=LIMIT_SECONDS,
        )
        assert completed.returncode == 0, completed.stdout + completed.stderr
        report: Mapping[str, Any] = json.loads(output.read_text())
        return report


@pytest.fixture(scope="module")
def tools() -> LighthouseTools:
    """Install Lighthouse into the cache folder of this account, unless it is there."""
    missing = [name for name in ("node", "npm") if shutil.which(name) is None]
    if missing:
        pytest.exit(f"Lighthouse needs {' and '.join(missing)} on the PATH (Node 20 or newer).", 1)
    browser = find_browser.find_browser()
    if browser is None:
        pytest.exit(f"No browser found on the PATH ({', '.join(find_browser.BROWSER_NAMES)}).", 1)
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    folder = cache / "throughline" / f"lighthouse-{VERSION}"
    command = folder / "node_modules" / ".bin" / "lighthouse"
    if not command.exists():
        folder.mkdir(parents=True, exist_ok=True)
        completed = subprocess.run(
            ["npm", "install", "--prefix", str(folder), "--no-fund", f"lighthouse@{VERSION}"],
            capture_output=True,
            text=True,
            check=False,
        )
        if completed.returncode != 0:
            pytest.exit(f"npm could not install Lighthouse:\n{completed.stderr}", 1)
    return LighthouseTools(command, browser)


@pytest.fixture(scope="module")
def demo(
    tools: LighthouseTools,  # first, so that missing tools are reported at once
    tmp_path_factory: pytest.TempPathFactory,
    django_db_setup: None,
    django_db_blocker: DjangoDbBlocker,
) -> Iterator[RunningDemo]:
    """The running demo."""
    with django_db_blocker.unblock(), run_demo(tmp_path_factory.mktemp("demo")) as running_demo:
        yield running_demo


@pytest.fixture(scope="module")
def session(demo: RunningDemo) -> str:
    """The session cookie of an administrator."""
    return f"sessionid={signed_in(UserRole.ADMIN).cookies['sessionid'].value}"


@pytest.mark.django_db
@pytest.mark.parametrize("name", PAGES)
def test_page_scores(
    name: str, tools: LighthouseTools, demo: RunningDemo, session: str, tmp_path: Path
) -> None:
    path = PAGES[name].format(**vars(demo.records))
    headers = {} if name in SIGNED_OUT else {"Cookie": session}
    report = tools.report(demo.product.url + path, headers, tmp_path)
    if "numericValue" not in report["audits"][LAYOUT_SHIFT]:
        # Chromium on a busy machine sometimes records no paint.
        report = tools.report(demo.product.url + path, headers, tmp_path)
    assert problems(report, path) == []


def problems(report: Mapping[str, Any], path: str) -> list[str]:
    """What is below its limit, with the audits that failed."""
    address = urlsplit(report["finalDisplayedUrl"])
    if address.path != path:
        return [f"{path} led to {address.path}"]
    below_limits = []
    for code, minimum in MIN_SCORES.items():
        category = report["categories"][code]
        if category["score"] is None or category["score"] < minimum:
            failed = [
                _failed_audit(report["audits"][reference["id"]])
                for reference in category["auditRefs"]
                if reference["weight"] and report["audits"][reference["id"]]["score"] == 0
            ]
            below_limits.append(
                f"{path}: {category['title']} {category['score']}: {'; '.join(failed)}"
            )
    audit = report["audits"][LAYOUT_SHIFT]
    shift = audit.get("numericValue")
    if shift is None:
        below_limits.append(f"{path}: layout shift not measured: {audit.get('errorMessage')}")
    elif shift >= MAX_LAYOUT_SHIFT:
        below_limits.append(f"{path}: layout shift {shift:.3f}")
    return below_limits


def _failed_audit(audit: Mapping[str, Any]) -> str:
    """The title of the audit with the elements or messages that it names."""
    items = (audit.get("details") or {}).get("items", [])[:5]
    texts = [item.get("node", {}).get("snippet") or item.get("description", "") for item in items]
    return f"{audit['title']} ({', '.join(texts)})"
