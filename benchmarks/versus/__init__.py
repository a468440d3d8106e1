"""datacat and other tools on the same data, in the same run.

A workload is a folder in three versions. A peer is a tool that keeps versions. A trial saves each
version with one peer, then gets each one back into an empty folder and compares it byte for byte;
a peer whose copy differs has failed, however quick it was.
"""
