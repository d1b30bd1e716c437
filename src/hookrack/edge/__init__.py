"""The front door: one request in, a verdict out. Pure: no I/O, no clock of its own."""
