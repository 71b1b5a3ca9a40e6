"""When a secret of a source ends."""

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class SecretEnd:
    """When a secret ends. `setting`: the secret setting; empty: the secret of the source."""

    setting: str
    ends_at: datetime

    @property
    def label(self) -> str:
        """`secret`, or `refresh token`."""
        return self.setting.replace("_", " ") or "secret"
