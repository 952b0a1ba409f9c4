"""The demonstration: a made-up district, and what brings it up on a machine where nothing is installed."""

from tp_inbox.demo.district import Account, accounts

__all__ = ["Account", "accounts"]
