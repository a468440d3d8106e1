"""What a Python program holds: an open version and its files, and a run that remembers them."""
