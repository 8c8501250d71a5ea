"""The golden set: what the engine sent before a change, bit for bit, and whether it still does.

    python -m tests.golden record FOLDER     run all sessions, motions and pairs, and store what
                                             was sent: 80 items, 8 MB, a minute
    python -m tests.golden compare FOLDER    run them again; a line for each array that differs,
                                             and rc 1 if there is one

Bits are those of one machine: store with the code of before, compare with the code of after. With a
folder from another machine give `--tolerance 0.001`; where a choice hangs by a thread, as in the
items `touching` and `humanoid`, more may differ.

`items.py` says what is run and `players.py` who plays; `adapter.py` alone knows the engine's
modules. `test_golden.py` runs a few small items against `data`, which
`python -m tests.golden record tests/golden/data --small` made.
"""
