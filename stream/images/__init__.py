"""Loads the pictures of a post: from local files, base64 and URLs.

Protects against requests into our own network. Does not use Kafka.
"""
