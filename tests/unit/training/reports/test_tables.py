"""Tables as a reader sees them."""

from training.reports.tables import grid


def test_a_loss_of_nothing_has_no_sign() -> None:
    """A mean that misses 0 by less than it shows was "-0.00" on the results page."""
    shown = grid(["F1", "loss", "draws", "none"], [{"F1": 79.5, "loss": -0.001, "draws": 5}])
    assert shown.splitlines()[-1] == "| 79.50 | 0.00 | 5 |  |"
