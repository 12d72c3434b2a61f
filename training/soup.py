"""A soup: the mean of several trained models' weights, as quick as one (Wortsman et al. 2022, arXiv:2203.05482).

Of the encoders alone, which were all tuned from the same pretrained one and so lie near each other; what is made anew
in every run (fusion, CRF) is the first member's. A place to train on from: the encoder knows what each member learnt.
"""

from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path

import torch

from models.adapters import merge_adapters
from models.encoders import is_pretrained
from models.parts import Parts
from models.registry import create
from training.conll import DataError
from training.joined import read_members, write_scored

NAME = "soup"


def blend(members: Sequence[Path], folders: Sequence[Path], visual: str, device: str, out: Path) -> Path:
    """Write the soup of the checkpoints `members` to `out/checkpoint`, scored on the validation sets of `folders`.

    All but the encoder is the first member's. Raises DataError, naming the member, for one that is no TriMod over the
    first one's encoder.
    """
    stored, parts = read_members(members, visual)
    encoder = parts[0].model.config.inputs.text_encoder
    for path, each in zip(members, parts, strict=True):
        if each.name != "trimod" or not encoder or each.model.config.inputs.text_encoder != encoder:
            raise DataError(
                f"{path} cannot be in a soup: it is no TriMod over {encoder or 'a pretrained encoder'}"
            )
    return write_scored(out, NAME, _blended(parts), stored, folders, visual, device)


@torch.no_grad()
def _blended(parts: Sequence[Parts]) -> Parts:
    """The first, without adapters, with the mean of all encoders."""
    first = parts[0]
    for each in parts:
        merge_adapters(each.model)
    weights = [each.model.state_dict() for each in parts]
    whole = {**asdict(first.model.config), "adapters": 0, "tune_biases": False}
    model = create(first.name, whole, first.words.size, first.characters.size)
    trained = {name for name, parameter in model.named_parameters() if parameter.requires_grad}
    mean = {
        name: torch.stack([each[name] for each in weights]).mean(dim=0) if is_pretrained(name) else weight
        for name, weight in weights[0].items()
        if name in trained  # the rest is the encoder's own still, to the bit
    }
    model.load_state_dict(mean, strict=False)
    return replace(first, model=model)
