"""The families of networks: what each is, learns from and costs, and its graphs in a bundle.

A folder for each family, which `families.py` names; beside them what they share. Knows clips and
tensors. Knows no optimiser, no run and no bundle's folder.
"""
