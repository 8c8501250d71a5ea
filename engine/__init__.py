"""The engine: runs the networks of a bundle, keeps sessions, serves them, reads and writes motion.

From the ground up, each room importing only from those below it: `body`; `motion`; `devices`,
`backends`, `formats`; `sampling`, `vmc`; `session`; `serving`; `batch`; `commands`; `bench`. Knows
neither the trainer nor, outside its one backend for it, PyTorch.
"""
