"""What bundles and checkpoints are worth, on clips that they never saw, beside the truth.

Knows clips, the engine's way from a question to frames, and its own evaluator. Knows no training
of what it measures.
"""
