"""The component: what the contract calls, and the plugin's module ``handler`` behind it.

All imports happen while the component is built. The order counts: the plugin's modules see the world as it will be.
"""

import forebay_plugin.guest.world as world  # first

import handler as plugin
from forebay_plugin.guest import wit
from forebay_plugin.guest.serve import Served

_served = Served(plugin)
world.close()


class Handler:
    """The contract's interface ``handler``."""

    def init(self, config: str) -> None:
        """Called once in each instance."""
        wit.init(_served, config)

    def handle(self, message):  # type: ignore[no-untyped-def]
        """Called once for each message."""
        return wit.handle(_served, message)
