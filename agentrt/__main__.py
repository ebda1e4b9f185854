"""`python -m agentrt` is the command `agentrt`."""

import sys

from ._entry import main

sys.exit(main())
