"""Continued pretraining of a tagger's text encoder on unlabelled posts (domain-adaptive pretraining, arXiv 2004.10964).

Holds the data, masking, prediction head and training of masked-language modelling, and the file that carries the
encoder's weights to a tagger. Taggers and their training are not here.
"""
