"""Posts as others write them: JSON with its many spellings, times, images, and the files that hold posts.

Workers, `trimod ingest`, `trimod tag`, `trimod label` and `Tagger.tag` read posts here, so they all read them alike.
Nothing here tags a post, fetches an image, or knows Kafka.
"""
