"""Reports: what a model, a fit and an integral look like on paper."""
