"""The gRPC transport: the services of the contract, the server's life, the front of a fleet.

Knows statuses, channels and bytes. Translates and decides nothing, so that another transport
needs nothing of this folder.
"""
