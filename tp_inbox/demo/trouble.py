"""The one error that the supervisor and its parts show."""


class Trouble(Exception):
    """Something the person at the terminal can put right; the message is the sentence to show them."""
