"""Argon2 with a limit on how many passwords are hashed at once: each takes 100 MiB for a while."""

import threading

from django.contrib.auth.hashers import Argon2PasswordHasher

MAX_PARALLEL_HASHES = 1
_slots = threading.BoundedSemaphore(MAX_PARALLEL_HASHES)


class LimitedArgon2PasswordHasher(Argon2PasswordHasher):
    """Django's hasher; further passwords wait, whether their user exists or not.

    A hash uses one thread, so that it leaves the other processors to the intake.
    """

    parallelism = 1

    def encode(self, password: str, salt: str) -> str:
        """Hash a password when it is its turn."""
        with _slots:
            return super().encode(password, salt)

    def verify(self, password: str, encoded: str) -> bool:
        """Compare a password with its hash when it is its turn."""
        with _slots:
            return super().verify(password, encoded)
