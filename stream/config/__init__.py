"""All settings, typed, with their documentation; one file per section.

Reads files and the environment, connects to nothing.
"""
