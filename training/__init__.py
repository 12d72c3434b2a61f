"""Data to checkpoints: data sets, the training loop, evaluation, experiments. Never imported by `stream`."""
