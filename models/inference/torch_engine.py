"""Eager PyTorch in two precisions: float32, the exact reference, and bfloat16.

On a CPU, bfloat16 means that the pretrained encoders' weights are cast once; everything else stays in float32. Under
autocast, inference mode casts all weights again in every call, which costs more than the matrix products save. On a
GPU, autocast decides.
"""

from collections.abc import Iterator, Sequence

import torch
from torch import Tensor, nn

from models.architectures.base import SequenceTagger
from models.core.batch import Encoded, collate
from models.inference.engine import Scores
from models.layers.transformer import Transformer


class TorchEngine:
    """Runs `model` on the device where it is. With precision `bf16` on a CPU, it casts the model's own encoders in
    place, until `close`."""

    def __init__(self, model: SequenceTagger, precision: str = "fp32") -> None:
        self._model, self.precision = model, precision
        self.name = f"torch-{precision}"
        self.device = next(model.parameters()).device
        self._autocast = precision == "bf16" and self.device.type == "cuda"
        self._float32: list[tuple[nn.Parameter, Tensor]] = []
        if precision == "bf16" and self.device.type == "cpu":
            for parameter in _encoder_parameters(model):
                self._float32.append((parameter, parameter.data))
                parameter.data = parameter.data.bfloat16()

    def run(self, group: Sequence[Encoded]) -> Scores:
        """See InferenceEngine."""
        batch = collate(group, self._model.config.inputs.image_size).to(self.device)
        half = torch.autocast(self.device.type, dtype=torch.bfloat16, enabled=self._autocast)
        with torch.inference_mode(), half:
            emissions, weights = self._model(batch)
        return Scores(emissions, batch.mask, weights.float().cpu())

    def close(self) -> None:
        """Give the model its float32 weights back."""
        for parameter, weights in self._float32:
            parameter.data = weights
        self._float32.clear()

    def keep(self) -> None:
        """Free the float32 weights; `close` then restores nothing."""
        self._float32.clear()


def has_encoder(model: nn.Module) -> bool:
    """Whether a pretrained encoder is in the model; without one, the precisions differ in nothing on a CPU."""
    return next(_encoder_parameters(model), None) is not None


def _encoder_parameters(model: nn.Module) -> Iterator[nn.Parameter]:
    for module in model.modules():
        if isinstance(module, Transformer):
            yield from module.encoder.parameters()


def runs_bf16(device: torch.device) -> bool:
    """Whether the device multiplies bfloat16 matrices in hardware."""
    if device.type == "cuda":
        with torch.cuda.device(device):
            return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    has = torch.cpu.get_capabilities()
    return bool(has.get("avx512_bf16") or has.get("amx_bf16") or has.get("amx_tile"))
