"""`python -m jupyter_autostop` is `jupyter autostop`."""

import sys

from jupyter_autostop.cli.main import main

sys.exit(main())
