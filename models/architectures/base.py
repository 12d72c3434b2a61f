"""The interface of every model for training loop, checkpoint and Tagger: emissions, a CRF, and its inputs.

A model is one file with its configuration beside it; models/architectures/registry.py lists them by name.
"""

from abc import ABC, abstractmethod
from typing import Any, Protocol

from torch import Tensor, nn

from models.core.batch import Batch
from models.core.inputs import Inputs
from models.core.labels import Span, spans
from models.layers.crf import ConstrainedCRF


class ModelConfig(Protocol):
    """A frozen dataclass of hyper-parameters that can be written as JSON."""

    @property
    def labels(self) -> tuple[str, ...]: ...

    @property
    def dropout(self) -> float: ...

    @property
    def inputs(self) -> Inputs:
        """What the model reads; derived from the other fields."""
        ...


class SequenceTagger(nn.Module, ABC):
    """Scores the labels of each token; `loss` trains, `forward` gives emissions, `find` decodes."""

    config: Any
    """The model's own ModelConfig."""
    modalities: tuple[str, ...] = ()
    """Names of the rows of the weights from `forward`; empty if the model has no modality weights."""
    crf: ConstrainedCRF
    least_confidence: float = 0.0
    """0: mentions come from the Viterbi path. Otherwise: every span above this probability; of overlapping spans,
    the likelier is kept."""

    def decide_by(self, least_confidence: float) -> None:
        """Set `least_confidence`. Raises ValueError unless it is at least 0 and under 1."""
        if not 0 <= least_confidence < 1:
            raise ValueError(f"least_confidence: expected at least 0 and under 1, got {least_confidence}")
        self.least_confidence = least_confidence

    def word_tables(self) -> list[nn.Embedding]:
        """The tables of word embeddings that pretrained vectors may fill, over the words' vocabulary."""
        return []

    @property
    def reads_words(self) -> bool:
        """Whether the model uses the word vocabulary; transformers have their own word pieces."""
        return bool(self.word_tables())

    @abstractmethod
    def forward(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """Emissions [batch, length, labels] and weights [modalities, batch, length], which sum to 1 over the first."""

    def find(self, emissions: Tensor, mask: Tensor) -> list[list[tuple[Span, float]]]:
        """The mentions in each row, each with its confidence: P(exactly this span) under the CRF."""
        if self.least_confidence:
            return self.crf.likely_spans(emissions, mask, self.least_confidence)
        paths = self.crf.decode(emissions, mask)
        found = [spans([self.crf.labels[label] for label in path]) for path in paths]
        confidences = self.crf.span_confidence(emissions, mask, found)
        return [list(zip(*pair, strict=True)) for pair in zip(found, confidences, strict=True)]

    def loss(self, batch: Batch) -> Tensor:
        """Mean CRF loss of a batch with tags, plus a teacher's loss if it has targets."""
        emissions, _ = self(batch)
        return self.loss_of(emissions, batch)

    def loss_of(self, emissions: Tensor, batch: Batch) -> Tensor:
        """Like `loss`, for given emissions."""
        if batch.tags is None:
            raise ValueError("a batch without tags has no loss")
        if batch.possible is not None:
            return self.crf.partial_loss(emissions, batch.possible, batch.mask)
        if batch.targets is None:
            return self.crf.loss(emissions, batch.tags, batch.mask)
        return self.crf.distillation_loss(
            emissions, batch.tags, batch.mask, batch.targets, batch.teacher_share
        )
