"""Shared by all models: posts, labels, batches, errors. Imports nothing else from `models`."""
