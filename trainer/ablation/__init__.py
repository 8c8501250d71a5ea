"""`contrapose ablate`: the animator with one thing missing at a time, trained and measured.

Knows training and evaluation. Nothing but the command knows it.
"""
