"""Posts to entities: encoders, fusion, CRF, checkpoint format and Tagger.

Knows neither Kafka nor files of a data set.
"""

from pathlib import Path

DEFAULT_CHECKPOINT = Path(__file__).resolve().parent.parent / "deploy" / "checkpoints" / "trimod"
"""The checkpoint that ships with the project and that every command takes unless told otherwise."""


DEFAULT_POINTER = DEFAULT_CHECKPOINT.parent / "current"
"""The file that `trimod checkpoint promote` writes unless told otherwise and workers watch
(models/checkpoints/pointer.py)."""
