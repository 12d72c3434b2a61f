"""From post text to model input: tokens, windows, vocabularies, pretrained encoders, canonical forms."""
