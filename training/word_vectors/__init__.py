"""Word vectors for models with a word table: trained on a corpus, distilled, or read from files."""
