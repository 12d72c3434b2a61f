"""Builds the components in a checkpoint (model, post encoder, hashtag segmenter, captioner), and stores them.

Weights that stay as pretrained (word-piece embeddings; with adapters, the whole encoder) are not in checkpoints. They
come from the encoder's package; a SHA-256 verifies that it is the encoder used in training.
"""

import hashlib
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import Any

from torch import Tensor, nn

from models.architectures.base import SequenceTagger
from models.architectures.registry import create
from models.checkpoints.format import CAPTIONER, MODEL, SEGMENTER, Checkpoint
from models.core.errors import CheckpointError
from models.hashtags.segmenter import Segmenter, SegmenterConfig
from models.layers.transformer import is_pretrained
from models.text.post_encoder import PostEncoder
from models.text.vocabulary import Vocabulary
from models.vision.captioner import Captioner, CaptionerConfig


@dataclass(frozen=True)
class Components:
    """The components of a checkpoint."""

    name: str
    """The model's name in models/architectures/registry.py."""
    model: SequenceTagger
    words: Vocabulary
    characters: Vocabulary
    segmenter: Segmenter
    captioner: Captioner | None = None

    @cached_property
    def encoder(self) -> PostEncoder:
        """Encodes posts for the model; created once, since it reads a tokenizer file."""
        return PostEncoder(self.words, self.characters, self.model.config.inputs)


def build(stored: Checkpoint) -> Components:
    """The components of a checkpoint with its weights, ready for tagging or further training.

    Raises CheckpointError if the text encoder is not the one used in training; ValueError, KeyError, TypeError or
    RuntimeError if configuration and weights do not fit.
    """
    config = stored.config
    name = config["model"]
    words, characters = (Vocabulary(tuple(config["vocabulary"][part])) for part in ("words", "characters"))
    model = create(name, config.get(name, {}), words.size, characters.size)
    if frozen_sha256(model) != config["text_encoder_sha256"]:
        raise CheckpointError(
            f"the installed {model.config.inputs.text_encoder} is not the one this checkpoint was trained on"
        )
    frozen = _frozen_names(model)
    missing, unexpected = model.load_state_dict(_part(stored, MODEL), strict=False)
    if unexpected or set(missing) - frozen:
        raise ValueError(
            f"missing weights {sorted(set(missing) - frozen)}, unknown weights {sorted(unexpected)}"
        )
    return Components(name, model, words, characters, build_segmenter(stored), build_captioner(stored))


def build_segmenter(stored: Checkpoint) -> Segmenter:
    """The hashtag segmenter of a checkpoint."""
    segmenter = Segmenter(SegmenterConfig(**stored.config["segmenter"]))
    segmenter.load_state_dict(_part(stored, SEGMENTER))
    return segmenter.eval()


def build_captioner(stored: Checkpoint) -> Captioner | None:
    """The captioner of a checkpoint, in float32, if it has one."""
    if "captioner" not in stored.config:
        return None
    captioner = Captioner(CaptionerConfig.of(stored.config["captioner"]))
    captioner.load_state_dict(_part(stored, CAPTIONER))
    return captioner.eval()


def config_of(parts: Components) -> dict[str, Any]:
    """The part of config.json that `build` reads, except `text_encoder_sha256`, which is costly to compute."""
    config: dict[str, Any] = {
        "model": parts.name,
        parts.name: asdict(parts.model.config),
        "vocabulary": {"words": parts.words.entries, "characters": parts.characters.entries},
        "segmenter": asdict(parts.segmenter.config),
    }
    if parts.captioner is not None:
        config["captioner"] = asdict(parts.captioner.config)
    return config


def tensors_of(parts: Components) -> dict[str, Tensor]:
    """The tensors of a checkpoint, by the names that `build` reads."""
    frozen = _frozen_names(parts.model)
    own = {MODEL + name: t for name, t in parts.model.state_dict().items() if name not in frozen}
    own |= {SEGMENTER + name: tensor for name, tensor in parts.segmenter.state_dict().items()}
    if parts.captioner is not None:
        own |= {CAPTIONER + name: tensor for name, tensor in parts.captioner.state_dict().items()}
    return own


def frozen_sha256(model: SequenceTagger) -> str:
    """SHA-256, in hex, of the weights that come from the text encoder's package; empty if none do."""
    frozen = _frozen(model)
    digest = hashlib.sha256()
    for _, parameter in frozen:
        digest.update(parameter.detach().cpu().float().numpy())  # type: ignore[arg-type]
    return digest.hexdigest() if frozen else ""


def _frozen(model: SequenceTagger) -> list[tuple[str, nn.Parameter]]:
    """Only weights of a pretrained encoder: untrained word vectors are in the checkpoint."""
    return [(n, p) for n, p in model.named_parameters() if is_pretrained(n) and not p.requires_grad]


def _frozen_names(model: SequenceTagger) -> set[str]:
    return {name for name, _ in _frozen(model)}


def _part(stored: Checkpoint, prefix: str) -> dict[str, Any]:
    return {name.removeprefix(prefix): t for name, t in stored.tensors.items() if name.startswith(prefix)}
