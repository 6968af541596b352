"""Any bytes wherever bytes come in: used, or refused with a reason, and nothing else."""
