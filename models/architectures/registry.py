"""The models by name, with their configurations; used by checkpoints (config.json) and training presets."""

from collections.abc import Mapping
from dataclasses import fields
from typing import Any, get_type_hints

from pydantic import TypeAdapter, ValidationError

from models.architectures.base import SequenceTagger
from models.architectures.cwi import CWI, CWIConfig
from models.architectures.ensemble import Committee, CommitteeConfig
from models.architectures.hamlearning import HamLearning, HamLearningConfig
from models.architectures.hsn import HSN, HSNConfig
from models.architectures.trimod import TriMod, TriModConfig
from models.core.labels import bio_labels

MODELS: dict[str, tuple[type[Any], type[SequenceTagger]]] = {
    "committee": (CommitteeConfig, Committee),
    "cwi": (CWIConfig, CWI),
    "hamlearning": (HamLearningConfig, HamLearning),
    "hsn": (HSNConfig, HSN),
    "trimod": (TriModConfig, TriMod),
}
"""Name -> configuration and model. A model takes (configuration, size of word table, number of characters)."""


def create(name: str, hyper: Mapping[str, Any], words: int, characters: int) -> SequenceTagger:
    """An untrained model. Raises ValueError, naming the problem, for an unknown name or setting or invalid labels."""
    config = configured(name, hyper)
    _, model_class = MODELS[name]
    return model_class(config, words, characters)


def configured(name: str, hyper: Mapping[str, Any]) -> Any:
    """A model's configuration. Raises ValueError as `create`."""
    if name not in MODELS:
        raise ValueError(f"unknown model {name!r}; known models: {', '.join(MODELS)}")
    config_class, _ = MODELS[name]
    known = {field.name for field in fields(config_class)}
    if unknown := sorted(set(hyper) - known):
        raise ValueError(
            f"model {name} has no setting {', '.join(unknown)}; it has: {', '.join(sorted(known))}"
        )
    settings = {key: _without_lists(value) for key, value in hyper.items()}
    check_values(config_class, settings)
    config = config_class(**settings)
    if config.labels != tuple(bio_labels([label[2:] for label in config.labels[1::2]])):
        raise ValueError(f"labels must be O, then B-X and I-X of each type, got {', '.join(config.labels)}")
    return config


def _without_lists(value: Any) -> Any:
    """JSON has lists where configurations have tuples, also those of a committee's members."""
    if isinstance(value, Mapping):
        return {name: _without_lists(each) for name, each in value.items()}
    return tuple(map(_without_lists, value)) if isinstance(value, list | tuple) else value


def check_values(kind: type, settings: Mapping[str, Any]) -> None:
    """Raises ValueError, naming it, for a value that is invalid for its field of the dataclass `kind`.

    Otherwise a word instead of true or false, or an unknown choice, would silently train something else.
    """
    types = get_type_hints(kind, include_extras=True)
    for name, value in settings.items():
        try:
            TypeAdapter(types[name]).validate_python(value, strict=True)
        except ValidationError as error:
            raise ValueError(f"{name}={value!r}: {error.errors()[0]['msg']}") from None
