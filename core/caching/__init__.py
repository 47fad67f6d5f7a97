"""What the watched service does about caching, and the provider's cache rules as a pure model."""
