"""Frames in time: what makes a motion of one or two people believable, whoever made it.

Seams, planted feet, walking, standing, personal space, contacts, energy, and the features that
networks see. Knows no network, no session, no clock and no file.
"""
