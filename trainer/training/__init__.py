"""Runs: a network, its optimisers and its batches, from a configuration to a checkpoint.

Knows families of networks by what they offer. Knows no bundle and no measure of quality.
"""
