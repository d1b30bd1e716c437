"""Kairos Products: an integration platform before hookrack and with it, and what that spares."""
