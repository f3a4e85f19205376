"""What natively built code needs of a machine, and what this machine has."""
