"""Posts to entities: encoders, fusion, CRF, checkpoint format and Tagger.

Knows neither Kafka nor files of a data set.
"""

from models.core.places import DATA, MODELS, REPOSITORY

_PACKAGED = MODELS / "shipped" / "trimod"
_IN_REPOSITORY = MODELS.parent / "deploy" / "checkpoints" / "trimod"
DEFAULT_CHECKPOINT = _PACKAGED if _PACKAGED.is_dir() else _IN_REPOSITORY
"""The checkpoint that ships with the project and that every command takes unless told otherwise: a wheel's package data
(setup.py), else in the repository."""

DEFAULT_POINTER = (_IN_REPOSITORY.parent if REPOSITORY else DATA) / "current"
"""The file that `trimod checkpoint promote` writes unless told otherwise and workers watch
(models/checkpoints/pointer.py)."""
