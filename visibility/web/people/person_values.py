"""What administrators enter about a person."""

from collections.abc import Sequence
from dataclasses import dataclass

from visibility.db.data_scope import DIMENSIONS


@dataclass(frozen=True, slots=True)
class PersonValues:
    """What administrators enter; None stays as it is. `teams`: slugs. The last three: the scope."""

    username: str | None = None
    first_name: str | None = None
    last_name: str | None = None
    email: str | None = None
    role: str | None = None
    teams: Sequence[str] | None = None
    channels: Sequence[str] | None = None
    warehouses: Sequence[str] | None = None
    customers: Sequence[str] | None = None

    @property
    def scope(self) -> dict[str, Sequence[str] | None]:
        return {name: getattr(self, name) for name in DIMENSIONS}
