"""Kafka, Redis and workers as child processes on this machine, and their supervision."""
