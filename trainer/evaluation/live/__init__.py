"""How believable the live partner is: frozen players, played to real sessions, and scored.

Knows sessions and choreography. Knows no training, and no socket but that of `--wire`.
"""
