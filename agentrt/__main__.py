"""`python -m agentrt` is the command `agentrt`."""

import sys

from .cli import main

sys.exit(main())
