"""Trains the captioner on Flickr8k, and scores it by BLEU."""
