"""The evaluator: networks that embed motions and words, so that sets of motions can be compared.

Knows clips and captions. Knows nothing of what will be evaluated: it must never have seen a
generated motion.
"""
