"""`trimod demo`: tags the sample posts with a real Kafka and Redis, and shows the results as tables."""
