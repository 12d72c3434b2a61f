"""Errors of training: one root for data that cannot be used."""

from models.core.errors import TrimodError


class DataError(TrimodError):
    """A data file that is missing or malformed; the message names file and line."""
