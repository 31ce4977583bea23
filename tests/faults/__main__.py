"""`python -m tests.faults --runs N --seed S`, which is what `marketplace faults` starts."""

import sys

from tests.faults.driver import main

sys.exit(main())
