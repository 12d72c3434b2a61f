"""A recipe's optimiser and schedule are what it says, and the running average is one."""

import pytest
import torch

from models.architectures.trimod import TriModConfig
from tests.support.tiny_checkpoint import tiny_model
from training.engine.ema import MovingAverage
from training.engine.optimization import Recipe, make_optimizer, make_schedule
from training.errors import DataError
from training.runs.presets import PRESETS, changed


def factors(recipe: Recipe, steps_per_epoch: int) -> list[float]:
    optimizer = make_optimizer(tiny_model(), recipe)
    schedule = make_schedule(optimizer, recipe, steps_per_epoch)
    found = []
    for _ in range(recipe.epochs * steps_per_epoch):
        found.append(optimizer.param_groups[0]["lr"] / recipe.rate)
        optimizer.step()
        schedule.step()
    return found


def test_linear_rises_in_the_warm_up_and_falls_to_zero() -> None:
    found = factors(Recipe(epochs=2, warmup=0.2), 5)
    assert pytest.approx([0.5, 1.0, 1.0, 0.875, 0.75, 0.625, 0.5, 0.375, 0.25, 0.125]) == found


def test_decay_divides_by_one_plus_decay_times_epoch() -> None:
    """TriMod's Table II: learning rate 0.005, decay 0.05."""
    found = factors(Recipe(epochs=3, schedule="decay", decay=0.05), 2)
    assert pytest.approx([1, 1, 1 / 1.05, 1 / 1.05, 1 / 1.1, 1 / 1.1]) == found


def test_only_what_is_trained_is_averaged_and_it_comes_back() -> None:
    model = torch.nn.Linear(1, 1)
    model.bias.requires_grad_(False)
    average = MovingAverage(model, decay=0.5)
    with torch.no_grad():
        model.weight.fill_(0.0)
        average.weights["weight"].fill_(0.0)
        for value in (1.0, 2.0):
            model.weight.fill_(value)
            average.update()
    assert ["weight"] == list(average.weights)
    # decays min(0.5, 1/10) and min(0.5, 2/11): 0.9, then 2/11 * 0.9 + 9/11 * 2
    with average.in_place():
        assert pytest.approx(2 / 11 * 0.9 + 9 / 11 * 2) == model.weight.item()
    assert 2.0 == model.weight.item()


@pytest.mark.parametrize(
    ("name", "value"), [("optimizer", "SGD"), ("epochs", 2.5), ("tune_words", "False"), ("no_image", "half")]
)
def test_a_value_that_a_setting_cannot_have_is_named(name: str, value: object) -> None:
    """A misspelt optimiser used to be AdamW, and the word False used to be true."""
    with pytest.raises(DataError, match=f"{name}={value!r}: Input should be"):
        changed(PRESETS["trimod"], **{name: value})


def test_table_ii_of_trimod_is_trimod_paper() -> None:
    recipe, config = PRESETS["trimod-paper"].recipe, TriModConfig((), **PRESETS["trimod-paper"].hyper)
    assert ("sgd", 0.005, 0.05, 10, 9) == (
        recipe.optimizer,
        recipe.rate,
        recipe.decay,
        recipe.batch_size,
        recipe.accumulate,
    )
    assert 0.55 == config.dropout


def test_a_presets_noise_recipe_and_model_are_changed_by_name() -> None:
    preset = changed(PRESETS["trimod"], no_image=0.5, epochs=3, dropout=0.2)

    assert (0.5, 3, 0.2) == (preset.noise.no_image, preset.recipe.epochs, preset.hyper["dropout"])
    assert PRESETS["trimod"].noise.other_image == preset.noise.other_image
    assert ("dropout",) == preset.asked
