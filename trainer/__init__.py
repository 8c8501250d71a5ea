"""The trainer: from motion data to checkpoints, reports and bundles.

Knows the engine, which knows nothing of it.

From the ground up: data, graphs; choreography, text, models; training, evaluation, intent; export;
ablation, starter; commands.
"""
