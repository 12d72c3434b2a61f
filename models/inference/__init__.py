"""The Tagger: a checkpoint ready to tag posts on a device."""
