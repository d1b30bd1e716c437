"""hookrack: receive webhooks, keep them safe, hand them out by webhook key."""

__version__ = "0.1.0"
__all__ = ["__version__"]
