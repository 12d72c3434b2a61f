"""The CRF output layer (TriMod equations 13-16): parameters and loss from pytorch-crf, with our own decoding.

pytorch-crf decodes in a Python loop over posts and does not support constraints. Here Viterbi runs over the whole batch
with BIO constraints (`I-X` only after `B-X` or `I-X`). Each decoded span gets its probability under the same
constrained distribution, from forward and backward sums over legal sequences. The loss is pytorch-crf's and
unconstrained.

There are two decodings: the Viterbi path, and every span that is likely on its own. The Viterbi path may contain
unlikely spans, if its alternatives differ elsewhere or only a little each; and F1 counts spans.

Shapes: emissions [batch, length, labels]; mask [batch, length] bool, True on tokens, a prefix of each row. Every
row has a token: a post without tokens skips the CRF.
"""

from collections.abc import Iterator, Sequence
from typing import NamedTuple, cast

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn
from torchcrf import CRF as TorchCRF

from models.core.labels import Span, may_follow

Array = npt.NDArray[np.float64]

FORBIDDEN = -1e4
"""Score of an illegal transition: its probability underflows to zero, and sums remain finite."""


class ConstrainedCRF(nn.Module):
    """Linear-chain CRF over `labels` (BIO names, in the order of the emissions' last axis)."""

    allowed: Tensor
    allowed_start: Tensor

    def __init__(self, labels: Sequence[str]) -> None:
        super().__init__()
        self.labels = list(labels)
        self.crf = TorchCRF(len(labels), batch_first=True)
        allowed = [[may_follow(previous, tag) for tag in labels] for previous in labels]
        self.register_buffer("allowed", torch.tensor(allowed), persistent=False)
        start = torch.tensor([may_follow(None, tag) for tag in labels])
        self.register_buffer("allowed_start", start, persistent=False)

    def loss(self, emissions: Tensor, tags: Tensor, mask: Tensor) -> Tensor:
        """Negative log-likelihood per post (equation 15), averaged over the batch; tags [batch, length] int64."""
        return -cast(Tensor, self.crf(emissions.float(), tags, mask=mask, reduction="mean"))

    def partial_loss(self, emissions: Tensor, possible: Tensor, mask: Tensor) -> Tensor:
        """Like `loss`, if each token's label is only known to be one of several. It uses the likelihood of all legal
        sequences of `possible` labels [batch, length, labels] bool (Tsuboi et al. 2008, "Training Conditional Random
        Fields Using Incomplete Annotations")."""
        emissions = emissions.float()
        any_label = self._log_sum(emissions, mask, *self._all_scores())
        possible_ones = self._log_sum(emissions.masked_fill(~possible, FORBIDDEN), mask, *self._scores())
        return (any_label - possible_ones).mean()

    def _log_sum(
        self, emissions: Tensor, mask: Tensor, start: Tensor, transitions: Tensor, end: Tensor
    ) -> Tensor:
        """[batch]: log-sum-exp of the scores of all sequences of each row."""
        forward = self._forward(emissions, start, transitions)
        last = (mask.sum(dim=1) - 1).view(-1, 1, 1).expand(-1, 1, forward.shape[2])
        return torch.logsumexp(forward.gather(1, last).squeeze(1) + end, dim=1)

    def distillation_loss(
        self, emissions: Tensor, tags: Tensor, mask: Tensor, targets: Tensor, share: Tensor
    ) -> Tensor:
        """Mean over posts of (1 - share) * negative log-likelihood + share * cross-entropy with a teacher's marginals.

        targets: P(label) of each token [batch, length, labels]. share: [batch] in [0, 1]; 1 for posts without tags. The
        cross-entropy of a post is summed over its tokens, like the likelihood.
        """
        emissions = emissions.float()
        likelihood = cast(Tensor, self.crf(emissions, tags, mask=mask, reduction="none"))
        entropy = (
            -(targets * self.log_marginals(emissions, mask)).sum(dim=2).masked_fill(~mask, 0.0).sum(dim=1)
        )
        return ((1 - share) * -likelihood + share * entropy).mean()

    def log_marginals(self, emissions: Tensor, mask: Tensor) -> Tensor:
        """log P(label of a token) over all legal sequences [batch, length, labels]; undefined on padding."""
        start, transitions, end = self._scores()
        forward = self._forward(emissions, start, transitions)
        scores = forward + self._backward(emissions, mask, transitions, end)
        return scores - torch.logsumexp(scores, dim=2, keepdim=True)

    def _all_scores(self) -> tuple[Tensor, Tensor, Tensor]:
        """Start, transition and end scores; illegal ones as learnt."""
        return self.crf.start_transitions, self.crf.transitions, self.crf.end_transitions

    def _scores(self) -> tuple[Tensor, Tensor, Tensor]:
        """The same, with illegal ones set to FORBIDDEN."""
        transitions = self.crf.transitions.masked_fill(~self.allowed, FORBIDDEN)
        return (
            self.crf.start_transitions.masked_fill(~self.allowed_start, FORBIDDEN),
            transitions,
            self.crf.end_transitions,
        )

    @torch.no_grad()
    def decode(self, emissions: Tensor, mask: Tensor) -> list[list[int]]:
        """The best legal label sequence of each row (equation 16), as label indices without padding."""
        emissions = emissions.float()
        start, transitions, end = self._scores()
        score = start + emissions[:, 0]
        history: list[Tensor] = []
        for step in range(1, emissions.shape[1]):
            best, came_from = (score.unsqueeze(2) + transitions).max(dim=1)
            live = mask[:, step].unsqueeze(1)
            score = torch.where(live, best + emissions[:, step], score)
            # A padded step points to the same label, so backtracking from the row's end does not need lengths.
            history.append(torch.where(live, came_from, torch.arange(len(self.labels), device=score.device)))
        path = [(score + end).argmax(dim=1)]
        for came_from in reversed(history):
            path.append(came_from.gather(1, path[-1].unsqueeze(1)).squeeze(1))
        best_paths = torch.stack(path[::-1], dim=1).tolist()
        return [row[:length] for row, length in zip(best_paths, mask.sum(dim=1).tolist(), strict=True)]

    @torch.no_grad()
    def span_confidence(
        self, emissions: Tensor, mask: Tensor, spans: Sequence[Sequence[Span]]
    ) -> list[list[float]]:
        """P(a legal sequence has exactly this span, with its labels and borders), for each span of each row."""
        scores, lengths = self._sums(emissions, mask), mask.sum(dim=1).tolist()
        return [
            [self._one(scores, row, span, lengths[row]) for span in found] for row, found in enumerate(spans)
        ]

    @torch.no_grad()
    def likely_spans(self, emissions: Tensor, mask: Tensor, least: float) -> list[list[tuple[Span, float]]]:
        """All spans of each row whose `span_confidence` is above `least`, with that confidence, in order.

        If `least` is below 0.5, spans may overlap: the less likely one is dropped. With calibrated confidences, F1 is
        best if `least` is half of that F1 (Lipton et al. 2014, arXiv:1402.1892).
        """
        scores = self._sums(emissions, mask)
        logs = scores.forward + scores.backward - scores.log_z[:, None, None]
        logs[~mask.cpu().numpy()] = -np.inf  # sums over padding are meaningless, and may overflow `exp`
        marginals = np.exp(logs)
        found = []
        for row, length in enumerate(mask.sum(dim=1).tolist()):
            starts, begins = np.nonzero(marginals[row, :length, 1::2] > least)
            candidates = (
                Span(start, end, self.labels[2 * type_ + 1].removeprefix("B-"))
                for start, type_ in zip(starts.tolist(), begins.tolist(), strict=True)
                for end in _ends(marginals[row, :length, 2 * type_ + 2] > least, start)
            )
            rated = ((span, self._one(scores, row, span, length)) for span in candidates)
            found.append(_apart([(span, confidence) for span, confidence in rated if confidence > least]))
        return found

    def _sums(self, emissions: Tensor, mask: Tensor) -> "_Scores":
        """The sums over legal sequences, in float64: with float32, sums over 160 tokens are off by a thousandth."""
        emissions = emissions.double()
        start, transitions, end = (score.double() for score in self._scores())
        forward = self._forward(emissions, start, transitions)
        backward = self._backward(emissions, mask, transitions, end)
        log_z = torch.logsumexp(forward[:, 0] + backward[:, 0], dim=1)
        # Spans are few and short: NumPy is faster than a kernel launch for each (and, on a GPU, a synchronization).
        return _Scores(*(_array(t) for t in (emissions, forward, backward, log_z, transitions, end)))

    def _forward(self, emissions: Tensor, start: Tensor, transitions: Tensor) -> Tensor:
        """[batch, length, labels]: log-sum-exp of all prefixes that end at a token with a label, with its emission."""
        steps = [start + emissions[:, 0]]
        for step in range(1, emissions.shape[1]):
            steps.append(torch.logsumexp(steps[-1].unsqueeze(2) + transitions, dim=1) + emissions[:, step])
        return torch.stack(steps, dim=1)

    def _backward(self, emissions: Tensor, mask: Tensor, transitions: Tensor, end: Tensor) -> Tensor:
        """[batch, length, labels]: log-sum-exp of all continuations from a token with a label to the row's end."""
        steps = [end.expand(emissions.shape[0], -1)]
        for step in range(emissions.shape[1] - 2, -1, -1):
            onward = torch.logsumexp(transitions + (emissions[:, step + 1] + steps[-1]).unsqueeze(1), dim=2)
            steps.append(torch.where(mask[:, step + 1].unsqueeze(1), onward, end))
        return torch.stack(steps[::-1], dim=1)

    def _one(self, scores: "_Scores", row: int, span: Span, length: int) -> float:
        begin, inside = self.labels.index(f"B-{span.type}"), self.labels.index(f"I-{span.type}")
        emissions, transitions = scores.emissions[row], scores.transitions
        score, label = scores.forward[row, span.start, begin], begin
        for position in range(span.start + 1, span.end):
            score += transitions[label, inside] + emissions[position, inside]
            label = inside
        if span.end == length:
            after = scores.end[label]
        else:
            onward = transitions[label] + emissions[span.end] + scores.backward[row, span.end]
            after = np.logaddexp.reduce(np.delete(onward, inside))
        return min(1.0, float(np.exp(score + after - scores.log_z[row])))


class _Scores(NamedTuple):
    """The terms of span probabilities, in float64; `emissions`, `forward`, `backward` [batch, length, labels]."""

    emissions: Array
    forward: Array
    backward: Array
    log_z: Array
    transitions: Array
    end: Array


def _ends(goes_on: npt.NDArray[np.bool_], start: int) -> Iterator[int]:
    """Possible ends of a span from `start`: after that token, and after each further token that continues it."""
    yield start + 1
    for position in range(start + 1, len(goes_on)):
        if not goes_on[position]:
            return
        yield position + 1


def _apart(rated: Sequence[tuple[Span, float]]) -> list[tuple[Span, float]]:
    """The spans in order, without those that overlap a kept span of higher confidence."""
    kept: list[tuple[Span, float]] = []
    for span, confidence in sorted(rated, key=lambda each: -each[1]):
        if all(span.end <= other.start or other.end <= span.start for other, _ in kept):
            kept.append((span, confidence))
    return sorted(kept)


def _array(tensor: Tensor) -> Array:
    return tensor.detach().cpu().numpy().astype(np.float64)
