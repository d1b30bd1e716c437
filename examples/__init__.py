"""hookrack at work. A package, since a library of the tests brings another `examples`."""
