"""Whether the forget set shows in the neighbourhood of the model: in weakened copies and moved inputs."""
