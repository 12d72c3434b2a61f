"""Connections to Kafka and Redis: clients, TLS, credentials. Contains no topics and no keys."""
