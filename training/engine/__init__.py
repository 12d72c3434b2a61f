"""The training loop and its parts: optimisation, averaging, precision, progress, run state. Knows no data set."""
