"""A lively gateway to look at: `make demo`. Made-up conversations, and visitors that go on."""
