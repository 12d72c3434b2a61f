"""Our decoding against every label sequence written out, and against pytorch-crf where it does the same."""

import itertools

import pytest
import torch

from models.core.labels import Span, bio_labels, may_follow, spans
from models.layers.crf import ConstrainedCRF

LABELS = bio_labels(["PER", "LOC"])


@pytest.fixture
def crf() -> ConstrainedCRF:
    torch.manual_seed(3)
    crf = ConstrainedCRF(LABELS)
    for parameter in crf.parameters():
        torch.nn.init.normal_(parameter)
    return crf


@pytest.fixture
def emissions() -> torch.Tensor:
    return torch.randn(3, 4, len(LABELS), generator=torch.Generator().manual_seed(5)) * 2


MASK = torch.tensor([[1, 1, 1, 1], [1, 1, 0, 0], [1, 0, 0, 0]]).bool()


@torch.no_grad()
def legal_sequences(crf: ConstrainedCRF, emissions: torch.Tensor) -> dict[tuple[int, ...], float]:
    """Score (equation 13) of every legal label sequence of one row, by plain loops."""
    scores = {}
    for sequence in itertools.product(range(len(LABELS)), repeat=len(emissions)):
        names = [None, *(LABELS[label] for label in sequence)]
        if all(may_follow(a, b) for a, b in itertools.pairwise(names) if b):
            score = crf.crf.start_transitions[sequence[0]] + crf.crf.end_transitions[sequence[-1]]
            score += sum(emissions[i, label] for i, label in enumerate(sequence))
            score += sum(crf.crf.transitions[a, b] for a, b in itertools.pairwise(sequence))
            scores[sequence] = float(score)
    return scores


def test_decode_is_the_best_legal_sequence(crf: ConstrainedCRF, emissions: torch.Tensor) -> None:
    expected = []
    for row, length in zip(emissions, MASK.sum(1), strict=True):
        scores = legal_sequences(crf, row[:length])
        expected.append(list(max(scores, key=scores.__getitem__)))
    assert expected == crf.decode(emissions, MASK)


def test_decode_is_pytorch_crfs_where_every_sequence_is_legal(
    crf: ConstrainedCRF, emissions: torch.Tensor
) -> None:
    crf.allowed.fill_(True)
    crf.allowed_start.fill_(True)
    assert crf.crf.decode(emissions, MASK) == crf.decode(emissions, MASK)


@torch.no_grad()
def test_loss_is_the_negative_log_likelihood_over_all_sequences(
    crf: ConstrainedCRF, emissions: torch.Tensor
) -> None:
    tags = torch.tensor([[0, 1, 2, 0]])
    row = emissions[0]
    scores = []
    for sequence in itertools.product(range(len(LABELS)), repeat=4):
        score = crf.crf.start_transitions[sequence[0]] + crf.crf.end_transitions[sequence[-1]]
        score = score + sum(row[i, label] for i, label in enumerate(sequence))
        scores.append(score + sum(crf.crf.transitions[a, b] for a, b in itertools.pairwise(sequence)))
    gold = scores[list(itertools.product(range(len(LABELS)), repeat=4)).index((0, 1, 2, 0))]
    expected = torch.logsumexp(torch.stack(scores), 0) - gold
    assert float(expected) == pytest.approx(float(crf.loss(emissions[:1], tags, MASK[:1])), abs=1e-4)


def test_span_confidence_is_the_share_of_sequences_that_have_the_span(
    crf: ConstrainedCRF, emissions: torch.Tensor
) -> None:
    asked = [
        [Span(0, 1, "PER"), Span(0, 2, "PER"), Span(1, 4, "LOC"), Span(3, 4, "PER"), Span(0, 4, "LOC")],
        [Span(0, 2, "LOC"), Span(1, 2, "PER")],
        [Span(0, 1, "LOC")],
    ]
    expected = []
    for row, length, row_spans in zip(emissions, MASK.sum(1), asked, strict=True):
        scores = legal_sequences(crf, row[:length])
        weights = {sequence: torch.tensor(score).double().exp() for sequence, score in scores.items()}
        total = sum(weights.values())
        expected.append(
            [
                float(
                    sum(w for s, w in weights.items() if span in spans([LABELS[label] for label in s]))
                    / total
                )
                for span in row_spans
            ]
        )
    actual = crf.span_confidence(emissions, MASK, asked)
    for expected_row, actual_row in zip(expected, actual, strict=True):
        assert expected_row == pytest.approx(actual_row, abs=1e-5)


@pytest.mark.parametrize("least", [0.2, 0.5, 0.7])
def test_likely_spans_are_all_that_are_likely_and_no_others(
    crf: ConstrainedCRF, emissions: torch.Tensor, least: float
) -> None:
    """Of all 20 spans of a row, by their share of the written-out sequences; some are not the best sequence's.

    Where two overlap, which is so under 0.5 alone, the likelier one is.
    """
    expected = []
    for row, length in zip(emissions, MASK.sum(1), strict=True):
        scores = legal_sequences(crf, row[:length])
        weights = {sequence: torch.tensor(score).double().exp() for sequence, score in scores.items()}
        shares: dict[Span, float] = {}
        for sequence, weight in weights.items():
            for span in spans([LABELS[label] for label in sequence]):
                shares[span] = shares.get(span, 0.0) + float(weight / sum(weights.values()))
        likely = {span: share for span, share in shares.items() if share > least}
        expected.append(sorted(likelier_ones(likely).items()))
    actual = crf.likely_spans(emissions, MASK, least)

    assert [[span for span, _ in row] for row in expected] == [[span for span, _ in row] for row in actual]
    for expected_row, actual_row in zip(expected, actual, strict=True):
        assert [s for _, s in expected_row] == pytest.approx([s for _, s in actual_row], abs=1e-5)


def likelier_ones(shares: dict[Span, float]) -> dict[Span, float]:
    """The likeliest, and of the rest that share no token with it the likeliest, and so on."""
    if not shares:
        return {}
    best = max(shares, key=lambda span: shares[span])
    taken = set(range(best.start, best.end))
    rest = {span: share for span, share in shares.items() if taken.isdisjoint(range(span.start, span.end))}
    return {best: shares[best], **likelier_ones(rest)}


def test_of_likely_spans_that_overlap_the_likelier_is_found() -> None:
    """PER (0.45), LOC (0.4) and O (0.15) of one token: both are likely from 0.3, and one token has one."""
    crf = ConstrainedCRF(LABELS)
    for parameter in crf.parameters():
        torch.nn.init.zeros_(parameter)
    emissions = torch.tensor([[[0.15, 0.45, 1e-9, 0.4, 1e-9]]]).log()

    [[(span, confidence)]] = crf.likely_spans(emissions, torch.ones(1, 1).bool(), 0.3)
    assert (Span(0, 1, "PER"), pytest.approx(0.45, abs=1e-4)) == (span, confidence)


def test_an_unlikely_span_of_the_likeliest_sequence_is_no_likely_span() -> None:
    """Of PER (0.4), O (0.3) and LOC (0.3), PER is likeliest, and not likely."""
    crf = ConstrainedCRF(LABELS)
    for parameter in crf.parameters():
        torch.nn.init.zeros_(parameter)
    emissions = torch.tensor([[[0.3, 0.4, 1e-9, 0.3, 1e-9]]]).log()
    mask = torch.ones(1, 1).bool()

    assert [[1]] == crf.decode(emissions, mask)
    assert [[]] == crf.likely_spans(emissions, mask, 0.5)


def test_confidence_over_a_whole_window_is_as_exact_as_over_a_word(crf: ConstrainedCRF) -> None:
    """In float32 it was off by a thousandth at 160 tokens."""
    emissions = torch.randn(1, 160, len(LABELS), generator=torch.Generator().manual_seed(6)) * 5
    mask = torch.ones(1, 160).bool()
    asked = [[Span(start, start + 1, "PER") for start in range(160)]]
    noisy = emissions + 1e-6 * torch.randn(emissions.shape, generator=torch.Generator().manual_seed(7))
    [expected] = crf.span_confidence(emissions, mask, asked)
    assert expected == pytest.approx(crf.span_confidence(noisy, mask, asked)[0], abs=1e-5)


def test_padding_changes_nothing(crf: ConstrainedCRF, emissions: torch.Tensor) -> None:
    alone = crf.decode(emissions[1:2, :2], MASK[1:2, :2])
    assert alone[0] == crf.decode(emissions, MASK)[1]


def test_what_is_on_padding_is_not_even_computed(crf: ConstrainedCRF, emissions: torch.Tensor) -> None:
    """A row of 2 tokens beside one of 160: scores sum up over its padding, and their exponentials overflowed."""
    long = torch.randn(1, 160, len(LABELS), generator=torch.Generator().manual_seed(6))
    padding = torch.full((1, 158, len(LABELS)), 9.0)
    padded = torch.cat([emissions[1:2, :2], padding], dim=1)
    mask = torch.ones(2, 160).bool()
    mask[1, 2:] = False
    [_, found] = crf.likely_spans(torch.cat([long, padded]), mask, 0.2)
    assert crf.likely_spans(emissions[1:2, :2], MASK[1:2, :2], 0.2) == [found]


@torch.no_grad()
def test_marginals_are_sums_over_all_legal_sequences(crf: ConstrainedCRF, emissions: torch.Tensor) -> None:
    """What a student learns from its teacher."""
    found = crf.log_marginals(emissions, MASK).exp()
    for row, length in enumerate(MASK.sum(1).tolist()):
        expected = torch.zeros(length, len(LABELS))
        for sequence, score in legal_sequences(crf, emissions[row, :length]).items():
            for position, label in enumerate(sequence):
                expected[position, label] += torch.tensor(score).exp()
        expected /= expected[0].sum()
        torch.testing.assert_close(expected, found[row, :length], atol=1e-5, rtol=1e-4)


@torch.no_grad()
def test_distillation_weighs_tags_against_the_teacher_post_by_post(
    crf: ConstrainedCRF, emissions: torch.Tensor
) -> None:
    tags = torch.zeros(MASK.shape, dtype=torch.int64)
    targets = torch.full((*MASK.shape, len(LABELS)), 1 / len(LABELS))
    gold = crf.distillation_loss(emissions, tags, MASK, targets, torch.zeros(3))
    torch.testing.assert_close(crf.loss(emissions, tags, MASK), gold)
    alone = crf.distillation_loss(emissions, tags, MASK, targets, torch.ones(3))
    entropy = -crf.log_marginals(emissions, MASK).mean(dim=2)[MASK].sum() / 3
    torch.testing.assert_close(entropy, alone)
    mixed = crf.distillation_loss(emissions, tags, MASK, targets, torch.tensor([1.0, 1.0, 0.0]))
    assert min(gold, alone) < mixed < max(gold, alone)


def test_partial_loss_sums_all_sequences_that_the_tags_leave_open(
    crf: ConstrainedCRF, emissions: torch.Tensor
) -> None:
    """A token that is `O` in a set where nobody looked for places may be one."""
    possible = torch.rand(3, 4, len(LABELS), generator=torch.Generator().manual_seed(6)) < 0.6
    possible[..., 0] = True  # some sequence is left
    expected = []
    for row, open_, length in zip(emissions, possible, MASK.sum(1), strict=True):
        scores = legal_sequences(crf, row[:length])
        kept = [s for seq, s in scores.items() if all(open_[i, label] for i, label in enumerate(seq))]
        everything = torch.logsumexp(torch.tensor(all_sequences(crf, row[:length])), dim=0)
        expected.append(everything - torch.logsumexp(torch.tensor(kept), dim=0))
    torch.testing.assert_close(torch.stack(expected).mean(), crf.partial_loss(emissions, possible, MASK))


def test_partial_loss_is_the_loss_where_tags_say_all(crf: ConstrainedCRF, emissions: torch.Tensor) -> None:
    tags = torch.tensor([[1, 2, 0, 3], [0, 1, 0, 0], [3, 0, 0, 0]])
    possible = torch.nn.functional.one_hot(tags, len(LABELS)).bool()
    torch.testing.assert_close(crf.loss(emissions, tags, MASK), crf.partial_loss(emissions, possible, MASK))


@torch.no_grad()
def all_sequences(crf: ConstrainedCRF, emissions: torch.Tensor) -> list[float]:
    """Score of every label sequence of one row, legal or not: pytorch-crf's normaliser knows no difference."""
    found = []
    for sequence in itertools.product(range(len(LABELS)), repeat=len(emissions)):
        score = crf.crf.start_transitions[sequence[0]] + crf.crf.end_transitions[sequence[-1]]
        score += sum(emissions[i, label] for i, label in enumerate(sequence))
        score += sum(crf.crf.transitions[a, b] for a, b in itertools.pairwise(sequence))
        found.append(float(score))
    return found
