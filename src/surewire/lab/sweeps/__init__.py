"""Many runs in virtual time: the scenario matrix, and sweeps over parameters on one machine or a cluster."""
