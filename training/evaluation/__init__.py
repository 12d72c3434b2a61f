"""Scores of tagged posts: spans, confusions, cost. Trains nothing."""
