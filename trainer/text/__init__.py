"""Frozen text encoders: words as vectors, for training and as a bundle ships them.

Knows tokenizers, the networks of MiniLM and CLIP, and the captions of shards. Knows no pose and no
network that reads the vectors.
"""
