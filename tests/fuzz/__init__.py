"""Fuzz: seeded inputs that nobody means well with, for every border; no test knows a seed of it."""
