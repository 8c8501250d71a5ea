"""From known frames to denoised windows: requests, the loop over steps, whose turn it is.

Owns the one thread that runs graphs. Knows windows, noise levels, words and deadlines; no
session, no message and no socket.
"""
