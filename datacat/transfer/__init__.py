"""MOVING BYTES: into the store (`ingest`) and out of it (`fetch`), in bounded pipelines.

What must always hold: the digest is of the bytes that were stored; what was published is never
taken back here (INV hands off); memory is bounded by constants whatever the size of the data.
"""
