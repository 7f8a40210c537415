"""The agentgateway command, one file a command."""
