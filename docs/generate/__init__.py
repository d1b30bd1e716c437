"""What writes docs/reference/ from the code: `make docs`."""
