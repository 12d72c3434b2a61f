"""The worker process: start, model switches, health, metrics endpoint, shutdown."""
