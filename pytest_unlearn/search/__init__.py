"""Search of deletion requests: drawn, tried, made smaller and confirmed."""
