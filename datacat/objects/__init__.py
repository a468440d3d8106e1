"""WHICH BYTES: chunks, the packs and whole containers they lie in, and the index to find them.

What must always hold: the digest is of the bytes that were stored; every stored byte is covered
by an XXH3-64 checksum that is compared when it is read; a container is immutable.
"""
