"""Refusals: every way in which the product says no, each with the sentence a person reads.

A refusal is decided where its reason is known and shown unchanged at the border. Anything else
that is raised is a fault of ours: it is logged, and the person reads a general sentence.
"""

FAULT = "Something went wrong on our side. Nothing was lost; please try again."
"""Shown for everything that is raised and is no refusal."""


class Refusal(Exception):
    """The product says no. ``sentence`` is complete, plain English; a colleague may be named in it, but no family,
    no number and no body.
    """

    def __init__(self, sentence: str) -> None:
        super().__init__(sentence)
        self.sentence = sentence


class Invalid(Refusal):
    """What was typed or sent cannot be used as it is."""


class NotAllowed(Refusal):
    """The person may not do this here."""


class NotFound(Refusal):
    """Not there, or not this person's to see: the two are the same answer."""

    def __init__(self, sentence: str = "This page does not exist, or you do not have access to it.") -> None:
        super().__init__(sentence)


class SignedOut(Refusal):
    """No valid session stands behind the request."""

    def __init__(self, sentence: str = "Please sign in.") -> None:
        super().__init__(sentence)


class Unavailable(Refusal):
    """Something we depend on is away; trying again later is right."""
