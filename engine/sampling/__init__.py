"""From known frames to denoised windows: the loaded bundle, requests, steps, whose turn it is.

Owns the one thread that runs graphs. Knows windows, noise levels, words and deadlines; no
session, no message and no socket.
"""
