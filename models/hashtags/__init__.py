"""Hashtags to words: the network, the lexicon, and the ranker that has the last word."""
