"""The `trimod` commands of training. Each parses options and prints; the work is elsewhere."""
