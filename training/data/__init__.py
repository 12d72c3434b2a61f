"""From data sets to batches: CoNLL files, captions and images, augmentation, controls, vocabularies."""
