"""`contrapose bench`: what this machine can do, measured, and simulated players to ask it.

The top floor: knows every room below. Nothing imports it.
"""
