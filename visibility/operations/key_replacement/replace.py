"""Renew what older secret keys made, and say what still depends on them."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from django.conf import settings

from visibility.db.keyed_seal import fingerprint_of_secret_key
from visibility.models import ApiToken, KeyReplacement
from visibility.models.audit import append_audit_entry
from visibility.operations.key_replacement.registry import GIVEN_ADDRESSES, STORED_VALUES
from visibility.operations.key_replacement.stored_values import KeyState

OBJECT = "SECRET_KEY"


@dataclass(frozen=True, slots=True)
class Dependence:
    """What needs an older key. `is_complete`: False if there may be more than `count`."""

    title: str
    count: int
    is_complete: bool = True


@dataclass(frozen=True, slots=True)
class KeyStatus:
    """What needs more than SECRET_KEY.

    `stored`: the command renews it. `tokens`: API tokens that are renewed at their next use.
    `addresses`: links that were given out and end with the older key. `unreadable`: stored values
    that no key reads; they are as good as lost.
    """

    fallback_keys: int
    stored: Sequence[Dependence] = ()
    tokens: int = 0
    addresses: Sequence[Dependence] = ()
    unreadable: Sequence[Dependence] = ()


def load_key_status(now: datetime, *, limit: int | None = None) -> KeyStatus:
    """What depends on an older key; at most `limit` rows of each kind are looked at."""
    stored, unreadable, tokens = [], [], 0
    for values in STORED_VALUES.values():
        counts, is_complete = values.count(limit=limit)
        if old := counts.get(KeyState.FALLBACK, 0):
            stored.append(Dependence(values.title, old, is_complete))
        if lost := counts.get(KeyState.UNREADABLE, 0):
            unreadable.append(Dependence(values.title, lost, is_complete))
    keys = len(settings.SECRET_KEY_FALLBACKS)
    if keys:
        valid = ApiToken.objects.filter(revoked_at=None, expires_at__gt=now)
        tokens = valid.filter(secret_digest="").count()
    return KeyStatus(keys, stored, tokens, _old_addresses(now) if keys else (), unreadable)


def renew_everything(now: datetime) -> dict[str, int]:
    """Renew all that is stored; return how many values of each kind. Safe to interrupt.

    A first run with a key also records when it began: links of that time and later have its seal.
    """
    replacement, _ = KeyReplacement.objects.get_or_create(
        fingerprint=fingerprint_of_secret_key(), defaults={"started_at": now}
    )
    renewed: dict[str, int] = {}
    unreadable: dict[str, int] = {}
    for values in STORED_VALUES.values():
        counts = values.renew()
        renewed[values.title] = counts.get(KeyState.FALLBACK, 0)
        if lost := counts.get(KeyState.UNREADABLE, 0):
            unreadable[values.title] = lost
    KeyReplacement.objects.filter(pk=replacement.pk).update(finished_at=now)
    detail = {
        "key": replacement.fingerprint,
        "fallback_keys": len(settings.SECRET_KEY_FALLBACKS),
        "renewed": {title: count for title, count in renewed.items() if count},
        "unreadable": unreadable,
    }
    append_audit_entry("secret_key.replaced", user=None, object=OBJECT, detail=detail, now=now)
    return renewed


def _old_addresses(now: datetime) -> list[Dependence]:
    """Valid links that were created before SECRET_KEY was in use everywhere."""
    replacement = KeyReplacement.objects.filter(fingerprint=fingerprint_of_secret_key()).first()
    before = replacement.started_at if replacement else now
    dependences = []
    for addresses in GIVEN_ADDRESSES:
        rows = addresses.valid(now).filter(**{f"{addresses.created_at}__lte": before})
        if count := rows.count():
            dependences.append(Dependence(addresses.title, count))
    return dependences
