"""The `trimod` commands for training. Each parses options and prints; other packages do the work."""
