"""The window of ``doit centroid``: click on the star, or on each satellite spot."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from vampires.commands.centroid import Places
from vampires.errors import MeasurementError
from vampires.measure.centroid_files import name_mark
from vampires.measure.star import find_star
from vampires.utils.robust import robust_std

if TYPE_CHECKING:
    from matplotlib.backend_bases import KeyEvent, MouseEvent
    from matplotlib.patches import Circle

_KEYS = "click: moves the nearest mark   shift-click: exactly there   w write   q leave as it was"
_REACH = 8  # pixels about a click in which the star is looked for


class CentroidWindow:
    """Raw mean image of one camera with its marks.

    Parameters
    ----------
    item : Places
        Changed in place, if a person says so.
    """

    def __init__(self, item: Places) -> None:
        from matplotlib import pyplot as plt

        self.item, self.accepted = item, False
        self.marks = [
            (name, number, place)
            for name, found in item.fields.items()
            for number, place in enumerate(found.spots or (found.star,))
        ]
        self.image = item.mean()
        self.figure = plt.figure("vampires centroid", figsize=(9, 9))
        self.axes = self.figure.add_axes((0.06, 0.07, 0.92, 0.88))
        manager = self.figure.canvas.manager
        if manager is not None and manager.key_press_handler_id is not None:
            self.figure.canvas.mpl_disconnect(manager.key_press_handler_id)
        self.figure.canvas.mpl_connect("button_press_event", self._click)
        self.figure.canvas.mpl_connect("key_press_event", self._key)
        self.figure.text(0.02, 0.01, _KEYS, fontsize="small", color="0.35")
        self.show()

    def run(self) -> None:
        """Wait until the window is closed; take the marks if they are to be kept."""
        from matplotlib import pyplot as plt

        plt.show(block=True)
        if self.accepted:
            self._take()

    def show(self) -> None:
        """Draw image and marks; pixels as DS9 counts them."""
        ny, nx = self.image.shape
        sky = float(np.median(self.image))
        noise = max(robust_std(self.image, sky), 1e-6)
        self.axes.clear()
        self.axes.imshow(np.arcsinh((self.image - sky) / (5 * noise)), origin="lower", cmap="gray",
                         extent=(0.5, nx + 0.5, 0.5, ny + 0.5))  # fmt: skip
        for name, number, (y, x) in self.marks:
            radius = self.item.fields[name].radius
            size = 12 if radius is None else radius
            self.axes.add_patch(_circle(x + 1, y + 1, size))
            label = name if len(self.marks) == len(self.item.fields) else f"{name} {number + 1}"
            name_mark(self.axes, label, (x + 1, y + 1 + size))
        self.axes.set_title(f"{self.item.label}, raw frame")
        self.figure.canvas.draw_idle()

    def _click(self, event: MouseEvent) -> None:
        if event.inaxes is not self.axes or event.xdata is None or event.ydata is None:
            return
        y, x = event.ydata - 1, event.xdata - 1
        if event.key != "shift" and not self.item.plan.config.planetary:
            y, x = self._refined(y, x)
        apart = [np.hypot(place[0] - y, place[1] - x) for _, _, place in self.marks]
        nearest = int(np.argmin(apart))
        name, number, _ = self.marks[nearest]
        self.marks[nearest] = (name, number, (y, x))
        self.show()

    def _refined(self, y: float, x: float) -> tuple[float, float]:
        """Place of the star near a click; the click itself where there is none."""
        y0, x0 = max(round(y) - _REACH, 0), max(round(x) - _REACH, 0)
        cut = self.image[y0 : y0 + 2 * _REACH + 1, x0 : x0 + 2 * _REACH + 1]
        try:
            found = find_star(cut)
        except MeasurementError:
            return y, x
        return y0 + found[0], x0 + found[1]

    def _key(self, event: KeyEvent) -> None:
        from matplotlib import pyplot as plt

        if event.key in ("w", "q"):
            self.accepted = event.key == "w"
            plt.close(self.figure)

    def _take(self) -> None:
        for name, found in self.item.fields.items():
            places = tuple(place for other, _, place in self.marks if other == name)
            if places == (found.spots or (found.star,)):
                continue
            y, x = np.mean(places, axis=0)
            spots = places if found.spots else ()
            self.item.fields[name] = replace(found, star=(float(y), float(x)), spots=spots)


def _circle(x: float, y: float, radius: float) -> Circle:
    from matplotlib.patches import Circle

    return Circle((x, y), radius, fill=False, color="tab:red")
