"""Turn outputs of models into membership scores, each with its statistic."""
