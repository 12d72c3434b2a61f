"""The head begins near the pieces' frequencies, whatever the lengths of the encoder's embeddings."""

import pytest
import torch

from training.pretraining.model import PieceHead


@pytest.mark.parametrize("length", [0.1, 1.0, 10.0])
@torch.no_grad()
def test_the_head_begins_with_log_frequencies_and_scores_of_unit_variance(length: float) -> None:
    torch.manual_seed(1)
    table = torch.nn.functional.normalize(torch.randn(500, 64)) * length
    counts = torch.arange(500) % 7
    head = PieceHead(64, 500)
    head.start_from(counts, table)
    scores = head(torch.randn(2000, 64), table)
    expected = ((counts + 1) / (counts + 1).sum()).log()
    torch.testing.assert_close(expected, scores.mean(dim=0), atol=0.2, rtol=0)
    assert 1.0 == pytest.approx(float((scores - expected).std()), abs=0.1)
