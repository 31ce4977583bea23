"""`python -m marketplace.cli`, for where the `marketplace` script is not on the PATH."""

import sys

from marketplace.cli import main

sys.exit(main())
