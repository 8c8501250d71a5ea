"""Sessions for clients: streams, the thread they run on, load, resume tokens, several engines.

Translates the wire's messages and decides who is served. Knows nothing of how motion is made, and
no transport: `grpc` and `gateway` are two.
"""
