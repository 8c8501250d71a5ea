"""The generator: a single pose, words, both or neither -> a pair. Ponimator's ContactPoseGen.

Knows pairs. Knows nothing of the other families.
"""
