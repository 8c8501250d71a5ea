"""One body at one instant: its skeleton, shape, pose and skin, and how it reaches and touches.

Knows joints, rotations and metres. Knows no time (that is `motion`), no network, and no file but
the body's.
"""
