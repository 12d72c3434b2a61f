"""How Kafka and Redis are reached: clients, TLS, credentials. Knows no topic and no key."""
