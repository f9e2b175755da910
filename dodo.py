"""Task file of the checkout: without a configuration here, the built-in demo night."""

from vampires.tasks import *  # noqa: F403
