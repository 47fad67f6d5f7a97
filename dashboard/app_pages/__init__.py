"""The pages, a plain script each."""
