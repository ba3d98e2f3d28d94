"""Say a run's result in the formats of other tools: CI servers, badges, metrics, cards."""
