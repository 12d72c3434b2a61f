"""Hashtag segmentation: the network, the lexicon, and the ranker that makes the final choice."""
