"""Values in the database that were made with a secret key: look at each, and renew it."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from django.db import transaction
from django.db.models import Model, Q

from visibility.db.derived_keys import KeyPurpose
from visibility.db.encrypt_texts import (
    UnreadableCiphertext,
    decrypt_text,
    encrypt_text,
    is_encrypted_with_newest_key,
)

BATCH_ROWS = 200


class KeyState(StrEnum):
    """Which key a stored value needs."""

    NEWEST = "newest"
    # A fallback key made it; the command renews it.
    FALLBACK = "fallback"
    # Which key made it is known only when it is used, and then it is renewed.
    UNTIL_USED = "until used"
    # No key that is set can read it.
    UNREADABLE = "unreadable"


@dataclass(frozen=True, slots=True)
class Examined:
    """The state of the value of a row; `renewed`: with SECRET_KEY, if it is FALLBACK."""

    state: KeyState
    renewed: Any = None


NEWEST = Examined(KeyState.NEWEST)
UNREADABLE = Examined(KeyState.UNREADABLE)


@dataclass(frozen=True, slots=True)
class StoredValues:
    """A column whose values need a secret key. `rows`: those that have a value."""

    title: str
    model: type[Model]
    column: str
    examine: Callable[[Any], Examined]
    rows: Q = field(default_factory=Q)

    def renew(self) -> Mapping[KeyState, int]:
        """Renew all values in batches; return how many were in each state. Safe to run twice."""
        counts: dict[KeyState, int] = {}
        after: Any = None
        while True:
            with transaction.atomic():
                batch = list(self._rows_after(after).select_for_update(no_key=True)[:BATCH_ROWS])
                for row in batch:
                    examined = self.examine(row)
                    counts[examined.state] = counts.get(examined.state, 0) + 1
                    if examined.state == KeyState.FALLBACK:
                        changed = {self.column: examined.renewed}
                        self.model._default_manager.filter(pk=row.pk).update(**changed)
            if len(batch) < BATCH_ROWS:
                return counts
            after = batch[-1].pk

    def count(self, *, limit: int | None = None) -> tuple[Mapping[KeyState, int], bool]:
        """How many values are in each state, and whether all were looked at. Changes nothing."""
        counts: dict[KeyState, int] = {}
        for number, row in enumerate(self._iterate_rows()):
            if number == limit:
                return counts, False
            state = self.examine(row).state
            counts[state] = counts.get(state, 0) + 1
        return counts, True

    def _iterate_rows(self) -> Iterator[Any]:
        after: Any = None
        while batch := list(self._rows_after(after)[:BATCH_ROWS]):
            yield from batch
            after = batch[-1].pk

    def _rows_after(self, after: Any) -> Any:
        rows = self.model._default_manager.filter(self.rows).order_by("pk")
        return rows if after is None else rows.filter(pk__gt=after)


def encrypted_column(
    title: str, model: type[Model], column: str, purpose: KeyPurpose
) -> StoredValues:
    """A column with ciphertexts of `encrypt_text`; empty ones are no values."""

    def examine(row: Any) -> Examined:
        return examine_ciphertext(getattr(row, column), purpose)

    return StoredValues(title, model, column, examine, ~Q(**{column: ""}))


def examine_ciphertext(ciphertext: str, purpose: KeyPurpose) -> Examined:
    """The state of one ciphertext."""
    if is_encrypted_with_newest_key(ciphertext, purpose=purpose):
        return NEWEST
    try:
        content = decrypt_text(ciphertext, purpose=purpose)
    except UnreadableCiphertext:
        return UNREADABLE
    return Examined(KeyState.FALLBACK, encrypt_text(content, purpose=purpose))
