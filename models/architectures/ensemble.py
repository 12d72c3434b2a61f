"""An ensemble ("committee"): several trained TriMods as one model that averages them (Hansen and Salamon 1990).

    post --> TriMod 1 over encoder 1 --> emissions 1 \\
         --> TriMod 2 over encoder 2 --> emissions 2  +--> mean --> CRF, whose scores are the members' mean
         --> ...                                      /

Members that err on different posts are more accurate together than any member, at the sum of their time and of their
encoders' memory. Scores are averaged before the CRF, so the CRF's results (span confidences, likely spans) hold as in a
single model: P is proportional to the geometric mean of the members'. Nothing is trained here: members are trained
separately and joined by training/runs/ensemble.py. None of the papers does this.

Data sets define entities differently. A member trained on one set alone is the best for posts like its own, and far off
for others. Such specialists are not full members. Together they have half of the weight. Each set's share of it depends
on how far its specialists' mean agrees with the other members on the post (dynamic selection of classifiers, Cruz et
al. 2018, doi:10.1016/j.inffus.2017.09.010). Specialists of one set share its weight evenly: weighted by agreement, the
one most similar to the full members, which adds least, would have nearly all of it. The data set that a post may be
from is never looked at.

Members read the same input in the same way, except for the encoder. Encoders may differ if they have the same word
pieces (BERT's uncased encoders and MPNet do): the first member's pieces are used, and mapped to the others' ids.
"""

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, cast

import torch
from torch import Tensor, nn

from models.architectures.base import SequenceTagger
from models.architectures.trimod import TriMod, TriModConfig
from models.core.batch import Batch
from models.core.inputs import Inputs
from models.layers.crf import ConstrainedCRF
from models.layers.modality_views import VIEWS
from models.text.pretrained import load_wordpieces, special_id

ROLES = (("<s>", "[CLS]"), ("</s>", "[SEP]"), ("<pad>", "[PAD]"), ("<mask>", "[MASK]"))
"""Special pieces under their names in MPNet and in BERT; an encoder that has both was trained on the first."""
UNUSED = "<unk>"
"""In MPNet's vocabulary, but it uses `[UNK]`."""


@dataclass(frozen=True)
class CommitteeConfig:
    """The members' hyper-parameters."""

    labels: tuple[str, ...]
    members: tuple[dict[str, Any], ...]
    """TriModConfig's fields of each member, except the labels; specialists last."""
    specialists: tuple[str, ...] = ()
    """The data set of each specialist, which are the last members; empty: all are full members."""
    least_confidence: float = 0.0
    """Like TriModConfig's, for the mean."""

    @cached_property
    def trimods(self) -> tuple[TriModConfig, ...]:
        """Each member's configuration; created once, because `inputs` is read for every batch."""
        return tuple(TriModConfig(labels=self.labels, **member) for member in self.members)

    @property
    def full(self) -> int:
        """Number of members that are not specialists; they come first."""
        return len(self.members) - len(self.specialists)

    @property
    def parts(self) -> list[list[float]]:
        """Weight of each specialist in its set's mean: one row per set, one number per specialist."""
        sets = dict.fromkeys(self.specialists)
        return [[(each == name) / self.specialists.count(name) for each in self.specialists] for name in sets]

    @property
    def dropout(self) -> float:
        """The first member's."""
        return self.trimods[0].dropout

    @property
    def inputs(self) -> Inputs:
        """The input of the first member, and so of all."""
        return self.trimods[0].inputs


class Committee(SequenceTagger):
    """The mean of its members; specialists together have half of the weight. Modality weights are averaged too."""

    modalities = VIEWS
    config: CommitteeConfig
    parts: Tensor
    """CommitteeConfig's, [sets, specialists]."""

    def __init__(self, config: CommitteeConfig, words: int, characters: int) -> None:
        """`words` and `characters` are the sizes of the vocabularies, which all members share.

        Raises ValueError if members read different input, their encoders have different word pieces, all members are
        specialists, all specialists are of one data set, or the least confidence is not at least 0 and under 1.
        """
        super().__init__()
        if config.full < 1:
            raise ValueError(
                "an ensemble needs a member that is not a specialist: members determine the specialists' weights"
            )
        if len(set(config.specialists)) == 1:
            raise ValueError(
                f"all specialists are of data set {config.specialists[0]}: add one of another set, or make them members"
            )
        self.config = config
        self.decide_by(config.least_confidence)
        first, *others = config.trimods
        for other in others:
            if replace(other.inputs, text_encoder=first.text_encoder) != first.inputs:
                raise ValueError(f"members must read the same input, got {first.inputs} and {other.inputs}")
        self.members = nn.ModuleList(TriMod(each, words, characters) for each in config.trimods)
        self.crf = ConstrainedCRF(config.labels)
        self.register_buffer("parts", torch.tensor(config.parts), persistent=False)
        for number, other in enumerate(others, start=1):
            if other.text_encoder != first.text_encoder:
                ids = piece_ids(first.text_encoder, other.text_encoder)
                self.register_buffer(f"ids_{number}", ids, persistent=False)

    @property
    def trimods(self) -> list[TriMod]:
        """The members."""
        return [cast(TriMod, member) for member in self.members]

    def word_tables(self) -> list[nn.Embedding]:
        """The word tables of all members that have one."""
        return [table for member in self.trimods for table in member.word_tables()]

    def forward(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """Mean emissions [batch, length, labels] and modality weights [3, batch, length], in the order of VIEWS."""
        said = [member(self._read_by(number, batch)) for number, member in enumerate(self.trimods)]
        emissions, weights = (torch.stack(each) for each in zip(*said, strict=True))
        if not self.config.specialists:
            return emissions.mean(dim=0), weights.mean(dim=0)
        shares = self.shares(emissions, batch.mask)
        return torch.einsum("mb,mbnl->bnl", shares, emissions), torch.einsum("mb,mvbn->vbn", shares, weights)

    def shares(self, emissions: Tensor, mask: Tensor) -> Tensor:
        """The weight of each member in each post: emissions [members, batch, length, labels] and mask
        [batch, length] -> [members, batch], which sum to 1 over the members."""
        own = self.config.full
        others = emissions[:own].mean(dim=0).log_softmax(dim=-1)
        sets = torch.einsum("sm,mbnl->sbnl", self.parts.to(emissions), emissions[own:])
        apart = divergence(others, sets.log_softmax(dim=-1)) * mask
        agreement = (-apart.sum(dim=-1)).softmax(dim=0)
        each = self.parts.to(agreement).T @ agreement
        return torch.cat([torch.ones_like(each[:1]).expand(own, -1) / own, each]) / 2

    def _read_by(self, number: int, batch: Batch) -> Batch:
        """The batch with the ids of that member's word pieces."""
        ids = getattr(self, f"ids_{number}", None)
        return batch if ids is None else replace(batch, pieces=ids[batch.pieces])

    @torch.no_grad()
    def take_the_mean(self) -> None:
        """Set the CRF's scores to the members' mean; specialists together count half, each set equally."""
        own = self.config.full
        for name, scores in self.crf.named_parameters():
            found = torch.stack([member.crf.get_parameter(name) for member in self.trimods])
            if self.config.specialists:
                sets = torch.tensordot(self.parts, found[own:], dims=1)
                found = torch.stack([found[:own].mean(dim=0), sets.mean(dim=0)])
            scores.copy_(found.mean(dim=0))


def divergence(one: Tensor, other: Tensor) -> Tensor:
    """Jeffreys divergence, KL(p || q) + KL(q || p), of log probabilities [..., labels] -> [...], in nats."""
    return ((one.exp() - other.exp()) * (one - other)).sum(dim=-1)


def piece_ids(first: str, other: str) -> Tensor:
    """The ids in encoder `other` of the pieces of encoder `first` [pieces] int64.

    Raises ValueError if `other` lacks a piece of `first`.
    """
    ours, theirs = load_wordpieces(first), load_wordpieces(other)
    places, known = ours.get_vocab(), theirs.get_vocab()
    ids = torch.zeros(max(places.values()) + 1, dtype=torch.int64)
    special = {UNUSED, *(name for names in ROLES for name in names)}
    for piece, place in places.items():
        if piece in known:
            ids[place] = known[piece]
        elif piece not in special:
            raise ValueError(f"{other} and {first} have different word pieces: {other} has no {piece!r}")
    for names in ROLES:
        here, there = special_id(ours, names), special_id(theirs, names)
        if here is not None and there is not None:
            ids[here] = there
    return ids
