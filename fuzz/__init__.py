"""What random bytes may do to the decoders and sessions: nothing but be refused. See README.md."""
