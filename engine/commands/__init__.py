"""The commands `contrapose serve | react | convert | ...`: flags in, one line or a file out.

Each module adds its parser when the program starts, and imports what it needs when it runs.
Nothing but `bench` imports a command.
"""
