"""Channel services: what takes messages from a channel's topic and hands them over, each once."""
