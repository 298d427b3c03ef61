"""`python -m samepose` is `samepose`."""

import sys

from samepose.cli import main

sys.exit(main())
