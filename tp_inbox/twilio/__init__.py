"""Everything Twilio, and the only package that knows it: its words and codes stop here."""
