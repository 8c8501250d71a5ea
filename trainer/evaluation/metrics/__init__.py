"""Metrics: numbers of joints, rotations, meshes and embeddings, each from its arrays alone.

Knows no clip, no network and no report.
"""
