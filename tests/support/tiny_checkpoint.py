"""A tiny, untrained TriMod checkpoint: the real format and code paths, in milliseconds."""

from collections.abc import Sequence
from pathlib import Path

import torch

from models.architectures.trimod import TriMod, TriModConfig
from models.checkpoints.components import Components
from models.core.labels import bio_labels
from models.core.post import TYPES
from models.hashtags.segmenter import Segmenter, SegmenterConfig
from models.text.vocabulary import Vocabulary
from training.runs.export import export

WORDS = Vocabulary(("toronto", "maple", "leafs", "won", "in", "the", "a", "hockey", "player"))
CHARACTERS = Vocabulary(tuple("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ#@.,"))


def tiny_model(seed: int = 7, types: Sequence[str] = TYPES) -> TriMod:
    """An untrained TriMod on the paper's word table, small and with weights that give many mentions."""
    torch.manual_seed(seed)
    config = TriModConfig(
        labels=tuple(bio_labels(types)), word_size=12, character_size=6, character_hidden=5, word_hidden=8
    )
    model = TriMod(config, WORDS.size, CHARACTERS.size)
    for name, parameter in model.named_parameters():
        if not name.startswith("words.query"):
            torch.nn.init.normal_(parameter, std=0.6)
    with torch.no_grad():
        model.emit.bias[2::2] -= 2.0  # short mentions: an untrained `I-` would go on to the post's end
    return model


def tiny_checkpoint(directory: Path, seed: int = 7, types: Sequence[str] = TYPES) -> Path:
    """Write a tiny checkpoint of these entity types to `directory` and return it."""
    torch.manual_seed(seed)
    segmenter = Segmenter(SegmenterConfig(char_dim=4, case_dim=2, channels=4, hidden=4, decoder=4))
    torch.nn.init.constant_(list(segmenter.decoder.parameters())[-1], -20.0)  # cuts at underscores only
    parts = Components("trimod", tiny_model(seed, types), WORDS, CHARACTERS, segmenter)
    export(directory, parts, {}, {"untrained": True}, frozen="")
    return directory
