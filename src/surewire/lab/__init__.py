"""The laboratory: any network, in virtual time or for real, and the proof that nothing is lost on it."""
