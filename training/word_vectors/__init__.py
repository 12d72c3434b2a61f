"""Word vectors for models with a word table: made from a corpus, or read from files."""
