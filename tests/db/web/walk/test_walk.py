"""Every page opens for those who may see it, every link on it opens, and counts equal lists."""

from collections import Counter
from collections.abc import Iterator
from urllib.parse import urlsplit

import pytest
from django.contrib.auth.models import User
from django.urls import resolve
from pytest_django.plugin import DjangoDbBlocker

from tests.db.web.walk.addresses import PAGES, POST_ONLY, PRIVATE, PUBLIC, SIGNED_IN, STEPS
from tests.db.web.walk.crawl import Link, Visitor, all_patterns
from tests.db.web.walk.dataset import WalkRecords, build_dataset
from tests.db.web.walk.rolled_back import rolled_back_at_end
from visibility.storage.published_manifests import reload_published_manifests
from visibility.web.page_access import may_open
from visibility.web.permissions import UserRole, required_permissions

pytestmark = [pytest.mark.django_db, pytest.mark.slow]
# The tests of the API walk its paths.
API = "api/v1/"
ROLES = list(UserRole)
# Links of one kind on the pages of one URL pattern that are opened.
SAMPLES = 2


@pytest.fixture(scope="module")
def records(
    tmp_path_factory: pytest.TempPathFactory,
    django_db_setup: None,
    django_db_blocker: DjangoDbBlocker,
) -> Iterator[WalkRecords]:
    """One data set for the module, in a transaction that is rolled back at the end."""
    folder = tmp_path_factory.mktemp("walk")
    with rolled_back_at_end(folder, django_db_blocker, DEMO=True):
        yield build_dataset()


@pytest.fixture
def _django_db_helper(records: WalkRecords) -> None:
    """Instead of a transaction for each test, which would end that of the module."""


@pytest.fixture(autouse=True)
def _manifests_of_records(
    records: WalkRecords, _django_db_helper: None, _no_published_manifests: None
) -> None:
    """Each test uses the manifests of the data set, which were published before it."""
    reload_published_manifests()


@pytest.fixture(scope="module")
def visitors(records: WalkRecords) -> dict[UserRole | None, Visitor]:
    """A visitor of each role, and one who is not signed in."""
    return {role: Visitor(role) for role in (None, *ROLES)}


def test_every_url_pattern_has_a_line() -> None:
    routes = {route for route in all_patterns() if not route.startswith(API)}
    assert routes | {"api/v1/docs"} == PAGES.keys() | POST_ONLY | STEPS
    for route, urls in PAGES.items():
        for url in urls:
            assert resolve(urlsplit(url.format_map(Samples())).path).route == route


class Samples(dict[str, str]):
    """A value of each name, for checking the routes of URLs."""

    def __missing__(self, name: str) -> str:
        return "screens/1" if name == "screen" else "1"


@pytest.mark.parametrize("role", [None, *ROLES])
def test_pages_answer_as_their_permission_says(
    role: UserRole | None, records: WalkRecords, visitors: dict[UserRole | None, Visitor]
) -> None:
    wrong = []
    for route, urls in PAGES.items():
        for url in map(records.url, urls):
            expected = _expected_status(role, route, url)
            status, _ = visitors[role].open(url)
            if status not in expected:
                wrong.append(f"{url}: {status}")
    assert not wrong, "\n".join(wrong)


def _expected_status(role: UserRole | None, route: str, url: str) -> set[int]:
    needed = required_permissions(resolve(urlsplit(url).path).func)
    assert bool(needed) != (route in PUBLIC | SIGNED_IN), route
    if route in PUBLIC:
        return {404} if url.endswith("nothing") else {200}
    if role is None:
        return {302}
    if route in PRIVATE:
        return {200, 404}
    return {200} if may_open(User.objects.get(groups__name=role.value), url) else {403, 404}


@pytest.mark.parametrize("role", ROLES)
def test_every_link_opens_for_the_role_that_sees_it(
    role: UserRole, records: WalkRecords, visitors: dict[UserRole | None, Visitor]
) -> None:
    visitor = visitors[role]
    broken = []
    for page, link in _links(visitor, records):
        status, _ = visitor.open(link.url)
        if status != 200:
            broken.append(f"{page} {link.text!r} -> {link.url}: {status}")
    assert not broken, "\n".join(broken)


def _links(visitor: Visitor, records: WalkRecords) -> Iterator[tuple[str, Link]]:
    """Some links of each kind on each page that the person may open."""
    for urls in PAGES.values():
        seen: Counter[object] = Counter()
        for url in map(records.url, urls):
            status, text = visitor.open(url)
            if status != 200 or not text:
                continue
            for link in visitor.read(url).links:
                if urlsplit(link.url).netloc:
                    continue
                seen[link.kind] += 1
                if seen[link.kind] <= SAMPLES:
                    yield url, link


@pytest.mark.parametrize("role", ROLES)
def test_every_number_that_is_a_link_equals_its_list(
    role: UserRole, records: WalkRecords, visitors: dict[UserRole | None, Visitor]
) -> None:
    visitor, wrong, seen = visitors[role], [], 0
    for urls in PAGES.values():
        for url in map(records.url, urls):
            for link in visitor.read(url).links:
                if link.count is None:
                    continue
                seen += 1
                rows = visitor.count_rows(link.url)
                if rows != link.count and _differs_on_new_pages(visitor, url, link):
                    wrong.append(f"{url} {link.text!r} -> {link.url}: {rows} rows")
    assert not wrong, "\n".join(wrong)
    assert seen > 5


def _differs_on_new_pages(visitor: Visitor, url: str, link: Link) -> bool:
    """Whether it still does when both pages are opened now; orders become late meanwhile."""
    visitor.forget()
    same_links = [other for other in visitor.read(url).links if other.url == link.url]
    return any(other.count != visitor.count_rows(link.url) for other in same_links)
