"""Durable hand-over of envelopes: adapters of the Queue port."""
