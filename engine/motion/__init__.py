"""Frames in time: what makes a motion of one or two people believable, whoever made it.

Seams, planted feet, walking, standing, personal space, contacts, energy, and the features that
networks see; company, answers and hands; and what a player is about, by one small network in plain
arrays (`intent.py`). Knows no graph, no session, no clock, and no file but that network's.
"""
