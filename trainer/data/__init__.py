"""Two-person clips: read, searched for contact, stored in shards, and cut into batches.

Knows numpy and files. Knows no network and no choreography.
"""
