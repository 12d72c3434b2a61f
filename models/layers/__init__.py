"""Layers that several models share: characters, recurrent nets, transformers, fusion, the CRF.

Each masks its padding.
"""
