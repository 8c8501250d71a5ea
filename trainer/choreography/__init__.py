"""Clips made by rules: two bodies that follow a score, for each kind of interaction.

Knows bodies, footsteps and the stage. Knows no network; `data/shards.py` stores what is made here.
"""
