"""Scores of tagged posts: spans, confusions, modality weights. Nothing is trained here."""
