"""``python -m frs_verify``."""

import sys

from frs_verify.cli import main

if __name__ == "__main__":
    sys.exit(main())
