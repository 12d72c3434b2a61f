"""transformers' class of an encoder, imported alone.

Its auto classes import every kind of model's registry, and with it seconds of libraries: a start of `trimod tag` took
them twice as long as the rest. Here the `model_type` of a local folder's config.json names the class; folders of other
kinds and names of the model hub go to the auto classes. Knows no weights.
"""

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType
from typing import Any

CLASSES = {
    "bert": ("transformers.models.bert.modeling_bert", "BertModel"),
    "mpnet": ("transformers.models.mpnet.modeling_mpnet", "MPNetModel"),
}
"""model_type -> module and class, as AutoModel has them."""
DEFERRED = {"sklearn.metrics": "roc_curve", "scipy.optimize": "linear_sum_assignment"}
"""Module -> what transformers imports of it while it is imported, and no encoder calls: assisted generation, losses of
object detectors. sklearn and scipy take a second."""


def encoder_class(folder: str) -> Any:
    """What has `from_pretrained` for the encoder in `folder`, or of that name on the hub."""
    with deferred():
        if found := CLASSES.get(_model_type(Path(folder))):
            return getattr(import_module(found[0]), found[1])

    from transformers import AutoModel

    return AutoModel


def _model_type(folder: Path) -> str:
    """Empty for a folder whose configuration cannot be read: AutoModel says why."""
    try:
        return str(json.loads((folder / "config.json").read_text(encoding="utf-8"))["model_type"])
    except (OSError, ValueError, KeyError, TypeError):
        return ""


@contextmanager
def deferred() -> Iterator[None]:
    """Meanwhile, DEFERRED's modules are stand-ins, whose functions import the real ones when they are called."""
    stand_ins: dict[str, ModuleType] = {}
    for module, function in DEFERRED.items():
        package = module.partition(".")[0]
        if package not in sys.modules and (spec := find_spec(package)):
            stand_in = stand_ins.setdefault(package, ModuleType(package))
            stand_in.__spec__ = spec  # transformers looks for it to see whether the package is installed
            stand_ins[module] = ModuleType(module)
            setattr(stand_ins[module], function, _real(module, function))
    sys.modules.update(stand_ins)
    try:
        yield
    finally:
        for name, stand_in in stand_ins.items():
            if sys.modules.get(name) is stand_in:
                del sys.modules[name]


def _real(module: str, name: str) -> Any:
    def call(*args: Any, **kwargs: Any) -> Any:
        return getattr(import_module(module), name)(*args, **kwargs)

    return call
