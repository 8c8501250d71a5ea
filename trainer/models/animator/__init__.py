"""The animator: known frames of a pair -> the window around them. Ponimator's ContactMotionGen.

Knows windows. Knows nothing of the other families.
"""
