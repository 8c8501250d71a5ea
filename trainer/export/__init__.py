"""Bundles: from networks and checkpoints, from published ones, in int8, and at full size.

Also the packaged body. Knows checkpoints, reports and the format of a bundle's folder. Knows no
training.
"""
