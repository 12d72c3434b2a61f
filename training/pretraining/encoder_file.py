"""The weights of an encoder that was trained further, in a folder: `encoder.safetensors` and `encoder.json`.

Only trained weights are stored, by their names in a Transformer (models/layers/transformer.py): with adapters these are
the adapters. All others come from the encoder's package, as in checkpoints.
"""

import hashlib
import json
from pathlib import Path
from typing import Any

import orjson
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from models.architectures.base import SequenceTagger
from models.checkpoints.tensor_files import save_tensors
from models.core.errors import one_line
from models.layers.lora import fitted
from models.layers.transformer import Transformer
from training.errors import DataError

WEIGHTS, REPORT = "encoder.safetensors", "encoder.json"


def write_encoder(
    folder: Path, encoder: Transformer, name: str, adapters: int, report: dict[str, Any]
) -> dict[str, Any]:
    """Write the encoder called `name`; returns what is in `encoder.json`, `report` included."""
    trained = {n: p.detach().float().cpu() for n, p in encoder.named_parameters() if p.requires_grad}
    save_tensors(trained, folder / WEIGHTS)
    whole = {"text_encoder": name, "adapters": adapters, "table_sha256": _table_sha256(encoder), **report}
    (folder / REPORT).write_bytes(orjson.dumps(whole, option=orjson.OPT_INDENT_2) + b"\n")
    return whole


def start_encoder(model: SequenceTagger, folder: Path) -> None:
    """Give `model` the weights of the encoder in `folder`, a folder of `trimod train mlm`.

    A model with adapters of a lower rank gets the nearest ones of its rank (models/layers/lora.py). Raises DataError if
    the model has no encoder, another one, or cannot represent these weights.
    """
    report, weights = _read(folder)
    name = model.config.inputs.text_encoder
    if name != report["text_encoder"]:
        raise DataError(
            f"--start-encoder {folder} has the encoder {report['text_encoder']}, "
            f"but this model's is {name or 'not a pretrained one'}"
        )
    for transformer in (module for module in model.modules() if isinstance(module, Transformer)):
        if _table_sha256(transformer) != report["table_sha256"]:
            raise DataError(
                f"--start-encoder {folder}: the installed {name} is not the one it was trained on"
            )
        known = {n: w for n, w in weights.items() if transformer.case is not None or n != "case.weight"}
        try:
            unknown = transformer.load_state_dict(fitted(known, transformer), strict=False).unexpected_keys
        except RuntimeError as error:
            raise DataError(f"--start-encoder {folder}: {_hint(report)}: {one_line(error)[:300]}") from None
        if unknown:
            raise DataError(f"--start-encoder {folder}: {_hint(report)}: no place for {unknown[0]}")


def _hint(report: dict[str, Any]) -> str:
    rank = report["adapters"]
    return f"needs a model with adapters of at most rank {rank}, e.g. --set adapters={rank}"


def _read(folder: Path) -> tuple[dict[str, Any], dict[str, Tensor]]:
    try:
        report = json.loads((folder / REPORT).read_text(encoding="utf-8"))
        return {key: report[key] for key in ("text_encoder", "adapters", "table_sha256")}, load_file(
            folder / WEIGHTS
        )
    except (OSError, ValueError, KeyError, TypeError, SafetensorError) as error:
        raise DataError(f"--start-encoder {folder}: not a folder of `trimod train mlm`: {error}") from None


def _table_sha256(encoder: Transformer) -> str:
    """SHA-256, in hex, of the word-piece embeddings, which are never trained."""
    table = encoder.encoder.get_input_embeddings().weight
    return hashlib.sha256(table.detach().cpu().float().numpy()).hexdigest()
