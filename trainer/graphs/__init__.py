"""ONNX graphs as the trainer makes them: recorded from torch modules, stored in few bits.

Knows ONNX and torch's exporter. Knows no network, no data and no bundle.
"""
