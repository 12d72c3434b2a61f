"""The checkpoint format: reading, writing, verifying, compressing, promoting. Never a pickle."""
