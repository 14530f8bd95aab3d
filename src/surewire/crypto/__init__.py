"""Keys and seals of the native transport, over the `cryptography` package."""
