"""A post's images to pictures: local files, base64 and URLs.

With protection against requests into our own network. Knows no Kafka.
"""
