"""Publishing: a generation encoded, staged in Redis, verified, and made live."""
