"""The engine: runs the networks of a bundle, keeps sessions, serves them, reads and writes motion.

From the ground up, each room importing only from those below it: `body`, `backends`; `motion`;
`devices`, `formats`, `sampling`; `batch`, `session`, `vmc`; `serving`; `commands`; `bench`. Knows
neither the trainer nor, outside its one backend for it, PyTorch.
"""
