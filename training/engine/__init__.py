"""The training loop and its parts: optimization, averaging, precision, progress, run state.

Does not depend on any data set.
"""
