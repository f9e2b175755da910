"""What workers have in memory from the start.

Imported by one process, which does nothing else, and which workers are forked off. Ctrl-C at
the terminal reaches that process too, but ending it is for the one that started it.
"""

import gc
import signal

signal.signal(signal.SIGINT, signal.SIG_IGN)
# Nothing that is imported becomes garbage: looking for it takes a sixth of the time.
gc.disable()

# These import all that is heavy: numba, scipy, astropy, matplotlib.
import vampires.calibration.masters  # noqa: E402
import vampires.cube  # noqa: E402
import vampires.plotting.stokes  # noqa: E402
import vampires.polarimetry.inversion  # noqa: E402
import vampires.report.night  # noqa: E402, F401
from vampires.kernels.aperture import overlap  # noqa: E402

overlap(0.0, 0.0, 1.0)  # the first kernel of a process makes numba load the rest of itself

gc.freeze()  # shared by the workers, who need not look through it
gc.enable()
