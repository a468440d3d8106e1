"""WHICH NAMES: the log of records, its fold, and the local database that answers questions.

What must always hold: the log is the truth, append-only, one winner for each slot; the catalog is
a pure function of its bytes; everything local can be deleted and is rebuilt.
"""
