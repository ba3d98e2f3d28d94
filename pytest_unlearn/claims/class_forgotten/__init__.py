"""The claim that a removed class is treated as one never trained on."""
