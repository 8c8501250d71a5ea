"""The life of one player and one partner: the plan, its revisions, manners, recordings.

Plain state and functions: time, poses and windows come in, frames and requests go out. Owns no
thread, socket or clock; knows no message, and not who denoises.
"""
