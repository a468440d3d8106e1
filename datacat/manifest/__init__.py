"""WHICH FILES: one version's list of files, as Parquet, and what can be asked of two of them.

What must always hold: paths are unique and sorted by their UTF-8 bytes, and the same files give
the same tree digest whatever wrote the Parquet.
"""
