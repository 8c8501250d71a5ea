"""The kinds of interaction, a file for each family of them; each kind turns a cast into a scene."""
