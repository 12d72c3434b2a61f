"""Layers shared by several models: characters, recurrent networks, transformers, fusion, the CRF.

Each layer masks its padding.
"""
