"""The `trimod` commands of the stream. Each parses options and prints; the work is elsewhere."""
