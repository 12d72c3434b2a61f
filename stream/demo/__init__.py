"""`trimod demo`: the sample posts through a real Kafka and Redis, shown as tables."""
