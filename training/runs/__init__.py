"""One training run from its settings to a checkpoint: presets, warm starts, distillation, ensembles, export."""
