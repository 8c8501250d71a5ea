"""The trainer: from motion data to checkpoints, reports and bundles. Knows the engine.

From the ground up: data, graphs; choreography, text, models; training, evaluation; export;
ablation; commands.
"""
