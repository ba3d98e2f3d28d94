"""The claim that most of what the original showed of the forget set is gone."""
