"""Posts in, entity events out: everything that knows Kafka, Redis or HTTP.

The way of a post: `consumer` takes it in, `pipeline` tags and publishes it, `counters` counts it. Never imports
`training`.
"""
