"""A data folder for tests of the launcher."""

from tests.builders.data_folder import data

__all__ = ["data"]
