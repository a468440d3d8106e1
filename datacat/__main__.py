"""`python -m datacat` is the `datacat` command."""

import sys

from datacat.cli.main import main

if __name__ == "__main__":
    sys.exit(main())
