"""Where entries live: adapters of the Store port."""
