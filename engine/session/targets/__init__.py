"""Targets: poses, a place and a touch that are to be brought about, and how far that has got.

A module for each kind (`pose.py`, `place.py`, `touch.py`), all of one protocol (`Aim`); what is
remembered of them is one piece of state (`pursuit.py`), and `targets.py` is what the session holds.
Know plans, poses and capsules; know no window, no network and no clock.
"""
