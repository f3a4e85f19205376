"""One module per verb: gather, plan, apply, report."""
