"""Guessing of passwords is slowed down per account and per address, without locking people out."""

from datetime import datetime, timedelta

import pytest
from django.test import Client
from pytest_django.fixtures import Settings

from tests.builders.users import create_user
from visibility.models import SignInThrottle
from visibility.pipeline.record_and_retention_jobs import delete_old_throttles
from visibility.web.pages import sign_in_and_out
from visibility.web.people.throttle import forgive_attempt, take_attempt, wait_sentence
from visibility.web.permissions import UserRole

pytestmark = pytest.mark.django_db
PASSWORD = "correct horse battery"
HOTEL, OFFICE = "192.0.2.7", "198.51.100.9"


def post(client: Client, password: str, name: str = "olga", address: str = HOTEL) -> int:
    form = {"username": name, "password": password}
    return client.post("/signin", form, REMOTE_ADDR=address).status_code


def fail(name: str, address: str, now: datetime, times: int) -> timedelta | None:
    """Fail so often, and return how long the next attempt waits."""
    for _ in range(times):
        take_attempt(name, address, now)
    return take_attempt(name, address, now)


@pytest.mark.parametrize("name", ["olga", "nobody"])
def test_after_five_wrong_passwords_the_page_says_how_long_to_wait(
    client: Client, name: str, monkeypatch: pytest.MonkeyPatch, now: datetime, settings: Settings
) -> None:
    settings.REDIS_URL = "redis://127.0.0.1:1/0"
    monkeypatch.setattr(sign_in_and_out, "database_now", lambda: now)
    create_user(UserRole.OPERATIONS, "olga", password=PASSWORD)
    assert [post(client, "wrong", name) for _ in range(5)] == [200] * 5
    answer = client.post("/signin", {"username": name, "password": PASSWORD}, REMOTE_ADDR=HOTEL)
    assert answer.status_code == 429
    assert "Too many failed sign-ins. Try again in 30 seconds." in answer.content.decode()
    assert answer["Retry-After"] == "31"
    assert PASSWORD not in answer.content.decode()
    monkeypatch.setattr(sign_in_and_out, "database_now", lambda: now + timedelta(seconds=31))
    assert post(client, PASSWORD, name) == (302 if name == "olga" else 200)


def test_the_wait_doubles_and_is_bounded(now: datetime) -> None:
    waits = []
    fail("olga", HOTEL, now, 4)
    for _ in range(8):
        wait = take_attempt("olga", HOTEL, now)
        assert wait is not None
        waits.append(wait.total_seconds())
        now += wait
        assert take_attempt("olga", HOTEL, now) is None
    assert waits[:3] == [30, 60, 120]
    assert max(waits) == 900


def test_others_cannot_keep_a_person_out_for_longer_than_a_minute(now: datetime) -> None:
    waits = [
        take_attempt("olga", f"203.0.113.{number % 250}", now + timedelta(seconds=10 * number))
        for number in range(400)
    ]
    waits.append(take_attempt("olga", HOTEL, now + timedelta(seconds=4000)))
    longest = max(wait for wait in waits if wait)
    assert timedelta(seconds=30) < longest <= timedelta(minutes=1)


def test_from_a_known_address_a_person_signs_in_while_others_guess(now: datetime) -> None:
    assert take_attempt("olga", OFFICE, now) is None
    forgive_attempt("olga", OFFICE, now)
    for number in range(60):
        take_attempt("olga", f"203.0.113.{number}", now)
    assert take_attempt("olga", HOTEL, now)
    assert take_attempt("olga", OFFICE, now) is None
    # The guesser at the known address is limited all the same.
    assert fail("olga", OFFICE, now, 5)


def test_one_address_cannot_try_many_accounts(now: datetime) -> None:
    for number in range(50):
        assert take_attempt(f"person{number}", HOTEL, now) is None
    assert take_attempt("another", HOTEL, now)
    assert take_attempt("another", OFFICE, now) is None


def test_all_addresses_of_an_ipv6_network_count_together(now: datetime) -> None:
    for number in range(50):
        take_attempt(f"person{number}", f"2001:db8::{number:x}", now)
    assert take_attempt("another", "2001:db8::ffff", now)
    assert take_attempt("another", "2001:db8:0:1::1", now) is None


def test_failures_are_forgotten_with_time(now: datetime) -> None:
    assert fail("olga", HOTEL, now, 5)
    assert fail("olga", HOTEL, now + timedelta(hours=4), 4) is None


def test_a_success_forgives_the_failures_of_the_person_only(now: datetime) -> None:
    for number in range(49):
        take_attempt(f"person{number}", HOTEL, now)
    take_attempt("olga", HOTEL, now)
    forgive_attempt("olga", HOTEL, now)
    assert take_attempt("another", HOTEL, now) is None
    assert take_attempt("another", HOTEL, now)


def test_what_was_typed_as_a_name_is_stored_nowhere(client: Client) -> None:
    post(client, "x", "my secret password")
    rows = str(list(SignInThrottle.objects.values()))
    assert SignInThrottle.objects.count() == 3
    assert "secret" not in rows
    assert HOTEL not in rows


def test_counts_are_deleted_when_they_no_longer_matter(now: datetime) -> None:
    take_attempt("olga", HOTEL, now - timedelta(days=2))
    take_attempt("nina", OFFICE, now)
    assert delete_old_throttles() == 3
    assert SignInThrottle.objects.count() == 3


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.2, "1 second."), (45, "45 seconds."), (120, "2 minutes."), (841, "15 minutes.")],
)
def test_the_wait_in_words(seconds: float, text: str) -> None:
    assert wait_sentence(timedelta(seconds=seconds)).endswith(text)
