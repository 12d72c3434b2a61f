"""The worker process: startup, model switches, health, metrics endpoint, shutdown."""
