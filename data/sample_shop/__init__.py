"""The sample shop: a catalogue, users and events with planted taste."""
