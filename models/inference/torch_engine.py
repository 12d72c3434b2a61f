"""Eager PyTorch: float32 on a CPU, bfloat16 by autocast on a GPU that supports it."""

from collections.abc import Sequence

import torch

from models.architectures.base import SequenceTagger
from models.core.batch import Encoded, collate
from models.inference.engine import Scores


class TorchEngine:
    """A model on its current device; it is not moved."""

    name = "torch"

    def __init__(self, model: SequenceTagger) -> None:
        self._model = model
        self.device = next(model.parameters()).device
        self.precision = _precision(self.device)

    def run(self, group: Sequence[Encoded]) -> Scores:
        """See InferenceEngine."""
        batch = collate(group, self._model.config.inputs.image_size).to(self.device)
        half = torch.autocast(self.device.type, dtype=torch.bfloat16, enabled=self.precision == "bf16")
        with torch.inference_mode(), half:
            emissions, weights = self._model(batch)
        return Scores(emissions, batch.mask, weights.float().cpu())


def _precision(device: torch.device) -> str:
    """The precision of models on `device`."""
    if device.type != "cuda":
        return "fp32"
    with torch.cuda.device(device):
        return "bf16" if torch.cuda.is_bf16_supported(including_emulation=False) else "fp32"
