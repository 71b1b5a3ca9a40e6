"""Users and signed-in clients, as in the other tests of the API."""

from tests.db.web.api.conftest import person, signed_in

__all__ = ["person", "signed_in"]
