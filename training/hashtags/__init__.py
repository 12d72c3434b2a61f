"""Trains the hashtag segmenter: its corpus, lexicon, network and ranker."""
