"""Say a run's result in other tools' formats: CI servers, badges, metrics, cards."""
