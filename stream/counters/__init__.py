"""Live counts in Redis: counting, rebuilding, and whether the counts are to be trusted. Reads no posts."""
