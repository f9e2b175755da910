"""What workers have in memory from the start.

Imported by one process, which does nothing else, and which workers are forked off. Ctrl-C at
the terminal reaches that process too, but ending it is for the one that started it.
"""

import signal

signal.signal(signal.SIGINT, signal.SIG_IGN)

# These import all that is heavy: numba, scipy, astropy, photutils, matplotlib.
import vampires.calibration.masters  # noqa: E402
import vampires.cube  # noqa: E402
import vampires.polarimetry.inversion  # noqa: E402
import vampires.report.night  # noqa: E402, F401
