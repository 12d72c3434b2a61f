"""Live counts in Redis: counting, rebuilding, and whether the counts can be trusted. Reads no posts."""
