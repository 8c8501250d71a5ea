"""The kinds of interaction, a file for each family of them; each kind turns a cast into a scene.

A kind knows no other kind: what two need lies in the folder above.
"""
