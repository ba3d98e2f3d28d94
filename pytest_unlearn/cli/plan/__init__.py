"""Plan an audit: what it can certify and will cost, before any training."""
