"""nginx for AI agents: a metering reverse proxy between a fleet of agents and the LLM providers."""

__version__ = "0.1.0"
