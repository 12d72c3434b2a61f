"""The entity types of a labelled file and those of a model: renamed, and compared before anything is scored.

A type that the model does not have can only be missed. With other names for all types (`person` and PER), F1 is 0.00.
"""

import logging
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace

from models.core.labels import spans
from training.data.conll import LabelledPost
from training.errors import DataError

NO_ENTITY = "O"
"""The new name of a type that is not to be scored."""

log = logging.getLogger(__name__)


def renamed(
    posts: Sequence[LabelledPost], names: Mapping[str, str], labels: Collection[str]
) -> list[LabelledPost]:
    """The posts with their types renamed by `names`; NO_ENTITY drops a type. labels: the model's.

    Raises DataError for a name that the file or the model does not have.
    """
    there, ours = _counted(posts), _types(labels)
    for old, new in names.items():
        if old not in there:
            raise DataError(f"--rename {old}: the file does not have that type; it has {_listed(there)}")
        if new != NO_ENTITY and new not in ours:
            raise DataError(
                f"--rename {old}={new}: the model does not have {new}; it has {_listed(ours)} (or {NO_ENTITY}: none)"
            )
    return [replace(post, tags=[_renamed(tag, names) for tag in post.tags]) for post in posts]


def check_types(posts: Sequence[LabelledPost], labels: Collection[str]) -> None:
    """Raise DataError if the model has none of the types in `posts`; log those that it lacks. labels: the model's."""
    there, ours = _counted(posts), _types(labels)
    lacking = {name: count for name, count in there.items() if name not in ours}
    if not lacking:
        return
    first = min(lacking)
    message = (
        f"the model does not have the types {', '.join(f'{name} ({lacking[name]})' for name in sorted(lacking))}; "
        f"it has {_listed(ours)}. Map them, e.g. --rename {first}={min(ours, default=NO_ENTITY)}, or drop them, "
        f"e.g. --rename {first}={NO_ENTITY}"
    )
    if len(lacking) == len(there):
        raise DataError(message)
    log.warning("%s: they count as missed", message)


def _counted(posts: Sequence[LabelledPost]) -> Counter[str]:
    return Counter(span.type for post in posts for span in spans(post.tags))


def _types(labels: Collection[str]) -> set[str]:
    return {label[2:] for label in labels if label != "O"}


def _listed(types: Collection[str]) -> str:
    return ", ".join(sorted(types)) or "none"


def _renamed(tag: str, names: Mapping[str, str]) -> str:
    new = names.get(tag[2:], tag[2:])
    return tag if tag == "O" else "O" if new == NO_ENTITY else tag[:2] + new
