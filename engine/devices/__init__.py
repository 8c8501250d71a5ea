"""Players from elsewhere: trackers, Unity humanoids and OpenXR joints, as poses of ours.

Knows positions and rotations of devices, sample by sample. Knows no message, no session, no
clock.
"""
