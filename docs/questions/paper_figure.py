"""A figure for a paper: Q_phi times r^2 with a scale bar, and its radial profile with errors."""

import sys

import matplotlib.pyplot as plt
import numpy as np

from vampires import StokesFrame

frame = StokesFrame.read(sys.argv[1])
image = frame.r2_scaled("Q_PHI")
profile = frame.profile(width=3)
reach = image.shape[0] / 2 * frame.pixel_scale

plt.rcParams.update({"font.size": 9, "font.family": "serif"})
figure, (left, right) = plt.subplots(1, 2, figsize=(7.1, 3.1), layout="constrained")

limit = np.nanpercentile(image, 99.5)
shown = left.imshow(
    image, origin="lower", cmap="inferno", vmin=0, vmax=limit, extent=(reach, -reach, -reach, reach)
)
left.plot(0, 0, "+", color="white")
left.plot([0.37, 0.27], [-0.45, -0.45], color="white", linewidth=2)
left.text(0.32, -0.44, "0.1 arcsec", color="white", ha="center", va="bottom")
left.set(xlabel="east offset [arcsec]", ylabel="north offset [arcsec]")
left.set(xlim=(0.5, -0.5), ylim=(-0.5, 0.5), facecolor="black")
figure.colorbar(shown, ax=left, label=r"$Q_\phi\,r^2$ [e$^-$ s$^{-1}$ px$^{-1}$ arcsec$^2$]")

seen = profile["r_arcsec"] > 0.08  # within, the star's residuals rule
radius = profile["r_arcsec"][seen]
right.errorbar(
    radius, profile["q_phi"][seen], profile["noise"][seen], fmt="o", ms=3, label=r"$Q_\phi$"
)
right.plot(radius, profile["u_phi"][seen], color="0.6", label=r"$U_\phi$")
right.axhline(0, color="black", linewidth=0.5)
right.set(xlabel="radius [arcsec]", ylabel=r"e$^-$ s$^{-1}$ px$^{-1}$")
right.legend(frameon=False)

figure.savefig("figure.pdf")
figure.savefig("figure.png", dpi=140)

best = profile[int(np.nanargmax(profile["snr"] * seen))]
value, noise = best["q_phi"], best["noise"]
sys.stdout.write(
    f"Q_phi at {best['r_arcsec']:.2f} arcsec: {value:.3f} +- {noise:.3f} e-/s per pixel, "
    f"S/N {best['snr']:.0f}\n"
)
