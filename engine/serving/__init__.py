"""Sessions for clients: streams, the planner's thread, load, resume tokens, several engines.

Translates the wire's messages and decides who is served. Knows nothing of how motion is made, and
no transport: `grpc` is one.
"""
