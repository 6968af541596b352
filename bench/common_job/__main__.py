"""`python -m bench.common_job`."""

import sys

from bench.common_job.run import main

sys.exit(main())
