"""Linear algebra in one thread."""

from threadpoolctl import threadpool_limits

one_thread = threadpool_limits.wrap(limits=1, user_api="blas")
"""Matrices here are small: threads of the linear algebra would only wait for each other, and where the cores are
shared an eigendecomposition that takes 6 ms takes 300."""
