"""Slow down guessing of passwords, per account and per address, with counts in PostgreSQL.

Each attempt counts as failed before the password is checked, so that parallel attempts count, too;
a success takes that back. Counts leak away with time. Failures at other addresses make an account
wait for a minute at most, and not at all at an address from which it signed in before.
"""

import math
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db import IntegrityError, transaction

from visibility.db.derived_keys import KeyPurpose
from visibility.db.keyed_seal import seals_of_text
from visibility.models import SignInThrottle, ThrottleScope
from visibility.web.request_limit import address_network

PURPOSE = KeyPurpose.SIGN_IN_THROTTLE
KNOWN_FOR = timedelta(days=30)
STORED_FOR = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Limit:
    """After `free` failures, each further one makes the next attempt wait, twice as long each time.

    One failure is forgotten every `leak`.
    """

    free: int
    first_wait: timedelta
    longest_wait: timedelta
    leak: timedelta

    def wait_after(self, failures: float) -> timedelta:
        """How long the attempt after so many failures waits."""
        excess = round(failures) - self.free
        if excess < 0:
            return timedelta()
        factor: int = 2 ** min(excess, 20)
        return min(self.first_wait * factor, self.longest_wait)


def _limit(free: int, first: int, longest: int, leak: int) -> Limit:
    return Limit(free, *(timedelta(seconds=seconds) for seconds in (first, longest, leak)))


LIMITS = {
    ThrottleScope.ACCOUNT_AND_ADDRESS: _limit(5, 30, 900, 1800),
    ThrottleScope.ACCOUNT: _limit(20, 15, 60, 60),
    ThrottleScope.ADDRESS: _limit(50, 10, 300, 60),
}


def take_attempt(username: str, address: str, now: datetime) -> timedelta | None:
    """Count an attempt to sign in; return how long it has to wait if it must not be made now."""
    with transaction.atomic():
        counts = _lock_counts(username, address, now)
        pair = counts[ThrottleScope.ACCOUNT_AND_ADDRESS]
        if pair.known_until and pair.known_until > now:
            del counts[ThrottleScope.ACCOUNT]
        blocked_until = max(
            (c.blocked_until for c in counts.values() if c.blocked_until), default=now
        )
        if blocked_until > now:
            return blocked_until - now
        for scope, count in counts.items():
            _count_failure(count, LIMITS[scope], now)
    return None


def forgive_attempt(username: str, address: str, now: datetime) -> None:
    """Take back the count of an attempt that succeeded; the address is known for the account."""
    with transaction.atomic():
        for scope, count in _lock_counts(username, address, now).items():
            if scope == ThrottleScope.ACCOUNT_AND_ADDRESS:
                count.failures, count.known_until = 0, now + KNOWN_FOR
                count.expires_at = now + KNOWN_FOR
            else:
                count.failures = max(0, count.failures - 1)
            count.blocked_until = None
            count.save(update_fields=["failures", "known_until", "blocked_until", "expires_at"])


def wait_sentence(wait: timedelta) -> str:
    """Why nobody can sign in now, and for how long."""
    seconds = max(1, math.ceil(wait.total_seconds()))
    amount, unit = (seconds, "second") if seconds < 120 else (math.ceil(seconds / 60), "minute")
    plural = "" if amount == 1 else "s"
    return f"Too many failed sign-ins. Try again in {amount} {unit}{plural}."


def _lock_counts(username: str, address: str, now: datetime) -> dict[ThrottleScope, SignInThrottle]:
    """The rows of an account and an address, locked in one order, created if missing."""
    account, network = username.strip().lower(), address_network(address)
    keys = {}
    for scope, text in (
        (ThrottleScope.ACCOUNT_AND_ADDRESS, f"{account}\0{network}"),
        (ThrottleScope.ACCOUNT, account),
        (ThrottleScope.ADDRESS, network),
    ):
        keys[scope], *older = seals_of_text(text, purpose=PURPOSE)
        _rename_counts_of_fallback_keys(scope, keys[scope], older)
    SignInThrottle.objects.bulk_create(
        [
            SignInThrottle(scope=scope, key=key, expires_at=now + STORED_FOR)
            for scope, key in sorted(keys.items())
        ],
        ignore_conflicts=True,
    )
    rows = SignInThrottle.objects.select_for_update().filter(key__in=keys.values())
    by_key = {(row.scope, row.key): row for row in rows.order_by("scope", "key")}
    return {scope: by_key[scope, key] for scope, key in keys.items()}


def _rename_counts_of_fallback_keys(
    scope: ThrottleScope, newest: str, older: Sequence[str]
) -> None:
    """Continue counts that began under another secret key."""
    rows = SignInThrottle.objects.filter(scope=scope)
    for key in older:
        if not rows.filter(key=newest).exists():
            with suppress(IntegrityError), transaction.atomic():
                rows.filter(key=key).update(key=newest)


def _count_failure(count: SignInThrottle, limit: Limit, now: datetime) -> None:
    leaked = (now - count.failed_at) / limit.leak if count.failed_at else 0.0
    count.failures = max(0.0, count.failures - max(0.0, leaked)) + 1
    count.failed_at = now
    wait = limit.wait_after(count.failures)
    count.blocked_until = now + wait if wait else None
    count.expires_at = max(count.expires_at, now + STORED_FOR)
    count.save(update_fields=["failures", "failed_at", "blocked_until", "expires_at"])
