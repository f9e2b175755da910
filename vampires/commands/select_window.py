"""The window of ``doit select``: one file at a time, decided with keys and drags."""

from __future__ import annotations

from typing import TYPE_CHECKING

from vampires.commands.select import Session
from vampires.measure.quicklook_plot import draw_curves, draw_mean, draw_strip
from vampires.night.rejects import Reject

if TYPE_CHECKING:
    from matplotlib.backend_bases import KeyEvent

KEYS = "← → step   x reject/keep   drag over a curve: reject frames   k keep all   u undo   \
a accept suggestion   w write and close   q close"


class SelectWindow:
    """Shows files one by one; decisions are kept on disk until they are written.

    Parameters
    ----------
    session : Session
        Files looked at, and the decisions.
    """

    def __init__(self, session: Session) -> None:
        from matplotlib import pyplot as plt
        from matplotlib.widgets import SpanSelector

        self.session, self.accepted = session, False
        self.figure = plt.figure("vampires select", figsize=(13, 7))
        manager = self.figure.canvas.manager
        if manager is not None and manager.key_press_handler_id is not None:
            self.figure.canvas.mpl_disconnect(manager.key_press_handler_id)  # our keys, not theirs
        self.mean = self.figure.add_axes((0.04, 0.1, 0.4, 0.78))
        self.strip = self.figure.add_axes((0.47, 0.66, 0.52, 0.22))
        self.curves = [self.figure.add_axes((0.54, 0.1 + 0.26 * k, 0.45, 0.25)) for k in (1, 0)]
        self.title = self.figure.text(0.02, 0.945, "", fontsize="large")
        self.note = self.figure.text(0.02, 0.905, "", color="#c11f2b")
        self.figure.text(0.02, 0.02, KEYS, fontsize="small", color="0.35")
        self.spans = [
            SpanSelector(panel, self._reject_span, "horizontal", useblit=False)
            for panel in self.curves
        ]
        self.figure.canvas.mpl_connect("key_press_event", self._key)
        self.show()

    def run(self) -> bool:
        """Wait until the window is closed; True if the decisions are to be written."""
        from matplotlib import pyplot as plt

        plt.show(block=True)
        return self.accepted

    @property
    def suggestions(self) -> list[Reject]:
        """Those for the file shown."""
        name = self.session.looks[self.session.at].name
        return [item for item in self.session.suggestions if item.name == name]

    def show(self) -> None:
        """Draw the file that is looked at."""
        from matplotlib import rc_context

        session, look = self.session, self.session.looks[self.session.at]
        with rc_context({"font.size": 13}):  # a window is read from farther away than a sheet
            draw_mean(self.mean, look)
            draw_strip(self.strip, look)
            draw_curves(self.curves, look, session.selection.frames.get(look.name, ()))
        state = session.selection.describe(look.name)
        self.title.set_text(f"{session.at + 1} of {len(session.looks)}   {look.name}: {state}")
        self.title.set_color("black" if state == "kept" else "#c11f2b")
        said = "; ".join(f"{item}: {item.why}" for item in self.suggestions)
        self.note.set_text(f"suggested: {said}" if said else "")
        self.figure.canvas.draw_idle()

    def _key(self, event: KeyEvent) -> None:
        session, name = self.session, self.session.looks[self.session.at].name
        selection = session.selection
        if event.key in ("right", " ", "n"):
            session.step(1)
        elif event.key in ("left", "p"):
            session.step(-1)
        elif event.key == "x":
            out = name in selection.files
            session.decide(selection.keep(name) if out else selection.reject(Reject(name, None)))
        elif event.key == "k":
            session.decide(selection.keep(name))
        elif event.key == "a":
            for item in self.suggestions:
                session.decide(session.selection.reject(item))
        elif event.key == "u":
            session.undo()
        elif event.key in ("w", "q"):
            self.accepted = event.key == "w"
            session.store()
            from matplotlib import pyplot as plt

            plt.close(self.figure)
            return
        self.show()

    def _reject_span(self, low: float, high: float) -> None:
        """Leave out the frames a drag went over."""
        look = self.session.looks[self.session.at]
        first, last = max(round(low), 0), min(round(high), look.n - 1)
        if first <= last and high - low > 0:
            item = Reject(look.name, (first, last))
            self.session.decide(self.session.selection.reject(item))
        self.show()
