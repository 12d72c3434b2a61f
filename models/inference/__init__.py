"""The Tagger: a checkpoint ready to tag posts on a device, and the engine that computes for it."""
