"""The intent network: what the player is about, from the last second; trained on offers made here.

Knows choreography and the engine's features of intent; no animator.
"""
