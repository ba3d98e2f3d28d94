"""The claim that no forget set shows in changed models or moved inputs."""
