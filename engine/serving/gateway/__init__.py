"""The gateway: the same sessions over HTTP, for browsers, scripts and whoever has no gRPC.

Knows ASGI, statuses and bytes. Translates and decides nothing; needs no gRPC, and no session of a
server without it needs anything of this folder.
"""
