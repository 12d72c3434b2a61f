"""What all models share: posts, labels, batches, errors. Imports nothing else of `models`."""
