"""The place of the mapping engine; a flow with templates is refused until it is here."""
